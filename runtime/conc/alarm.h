// SPDX-License-Identifier: MIT
// A function that a timer starts in a task of its own: weft.time.after_func. It stays alive while
// it is armed, also when nobody refers to it. When it is not, it holds its function through its
// proxy alone, so that one that refers to its own timer can be collected.
#ifndef WF_CONC_ALARM_H
#define WF_CONC_ALARM_H

#include "task/obj.h"

typedef struct wf_alarm wf_alarm;

// Pushes a userdata with a stopped alarm for the function on top of L's stack, which is popped.
// Raises when memory is out.
wf_alarm *wf_alarm_new(wf_vm *vm, lua_State *L);

wf_alarm *wf_alarm_at(lua_State *L, int idx);

// Arms it anew, with its proxy at index 1; true when it was armed before. Raises when memory is
// out; it is stopped then.
bool wf_alarm_start(lua_State *L, wf_alarm *alarm, double seconds);

// True when it was armed.
bool wf_alarm_stop(wf_alarm *alarm);

#endif
