// SPDX-License-Identifier: MIT
// The timer behind a channel of weft.time: after, timer, tick, ticker. It holds at most one value
// that nobody has taken yet, in C, so that it can fire when no Lua runs. It belongs to its channel
// and stops when that is collected.
#ifndef WF_CONC_TICK_H
#define WF_CONC_TICK_H

#include "conc/chan.h"
#include "loop/timer.h"

// Gives the channel a timer, stopped. Raises when memory is out.
void wf_tick_attach(lua_State *L, wf_chan *ch);

// Fires once after `seconds`, or, with `period`, again and again; a value that is still to be
// taken is dropped. True when it was running before. Raises when memory is out; it is stopped
// then.
bool wf_tick_start(lua_State *L, wf_tick *tick, double seconds, bool periodic);

// Stops it and drops a value that is still to be taken. True when it was running: armed, or fired
// with the value not taken.
bool wf_tick_stop(wf_tick *tick);

void wf_tick_free(wf_tick *tick);

// Whether there is a value that nobody has taken; `value` may be NULL.
bool wf_tick_pending(const wf_tick *tick, double *value);

// The channel has become shared: its values go there from now on.
void wf_tick_share(wf_tick *tick);

// wf_kind.let_go of its channel.
void wf_tick_let_go(wf_tick *tick);

// Takes the value.
bool wf_tick_take(wf_tick *tick, double *value);

// Whether the timer is one of a tick whose channel nobody receives from.
bool wf_tick_idle(const wf_timer *timer);

#endif
