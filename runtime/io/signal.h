// SPDX-License-Identifier: MIT
// Subscriptions to signals. One is for one signal, and gives its name to a channel, where there is
// room, or to a function of weft's own that does not wait. It acts by itself until it is stopped,
// so that as long as there is one the program may yet go on.
//
// What a signal did before its first subscription in the process is noted, and is its action again
// when the last one has been stopped. (libuv would leave the default.)
#ifndef WF_IO_SIGNAL_H
#define WF_IO_SIGNAL_H

#include "task/obj.h"

typedef struct wf_signal wf_signal;

// The number of the signal; 0: there is none of that name, or no subscription to it is possible.
int wf_signal_number(const char *name);

// "SIGTERM", of any signal.
const char *wf_signal_name(int number);

// Pushes a new subscription of the channel or function on top of L's stack (popped). A libuv error
// code, and then nothing is pushed. Raises when memory is out.
int wf_signal_new(wf_vm *vm, lua_State *L, int number);

// The subscription at idx; NULL when it is none.
wf_signal *wf_signal_at(lua_State *L, int idx);

void wf_signal_stop(wf_signal *subscription);

#endif
