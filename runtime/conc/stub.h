// SPDX-License-Identifier: MIT
// Channels that have crossed to another VM, as the scripts of one VM see them: a wf_chan whose
// core (conc/shared.h) has the values and the waiters, while its own queues and its table stay
// empty. Every value is copied, also between two tasks of one VM.
//
// A value that has come is unpacked before its receiver goes on: where it is taken from the
// channel, or by the worker when the receiver waited. When that fails (a module that does not
// load, memory) the receiver gets the error, and the value is gone.
#ifndef WF_CONC_STUB_H
#define WF_CONC_STUB_H

#include "conc/chan.h"
#include "conc/context.h"
#include "conc/shared.h"

static inline wf_shared *wf_stub_core(const wf_chan *ch) { return (wf_shared *)ch->obj.core; }

// What the doors of lib/chan.c do for a stub; the number of results, or a yield. A value that
// cannot cross raises, and has no effect. The value is at index `value`. -> true; false when
// closed; nil, err of the context (may be NULL).
int wf_stub_send(wf_vm *vm, lua_State *L, wf_chan *ch, int value, wf_ctx *ctx);
// -> value; nil, err; nil, err, true when the value that was taken cannot be unpacked.
int wf_stub_recv(wf_vm *vm, lua_State *L, wf_chan *ch, wf_ctx *ctx);

// The same without waiting; nothing is pushed unless it is done, and then recv's value.
wf_chan_result wf_stub_try_send(wf_vm *vm, lua_State *L, wf_chan *ch, int value);
wf_chan_result wf_stub_try_recv(wf_vm *vm, lua_State *L, wf_chan *ch);

// For compiled code, which calls them through the FFI and so sees nothing of Lua: the channel is
// what `proxy`, the address of some userdata, stands for. They do what needs neither a wait nor
// memory: false or WF_SHARED_NOTHING, and nothing has happened, for all else.
bool wf_stub_send_number(const void *proxy, double v);
bool wf_stub_send_record(const void *proxy, uint32_t shape, const double *values);
int wf_stub_recv_plain(const void *proxy, double *values);

// Closes it with the value at index `err` (0: none). False: it was closed.
bool wf_stub_close(wf_vm *vm, lua_State *L, wf_chan *ch, int err);

// Pushes what a receiver from the closed channel gets as its second result.
void wf_stub_push_error(wf_vm *vm, lua_State *L, wf_chan *ch);

// Packs the value at `value`; raises when it cannot cross.
void wf_stub_pack(wf_vm *vm, lua_State *L, int value, const char *call, wf_message *m);

// How a wait on stubs ends (wf_remote_of).
void wf_stub_wake(wf_mail *mail);

// The parts of a wait on one stub, of whatever kind. Prepares the running task to wait for one
// operation: a place, to be queued in its core. NULL: memory is out, and nothing is left.
wf_remote_place *wf_stub_prepare(wf_vm *vm, wf_obj *on, wf_op op, const wf_ctx *ctx);

// The wait is not needed: the place was not queued.
void wf_stub_give_up(wf_vm *vm, wf_remote_place *place);

// It was; what is to be returned from the door.
int wf_stub_park(wf_vm *vm, lua_State *L, wf_ctx *ctx, wf_reason reason);

#endif
