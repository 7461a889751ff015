// SPDX-License-Identifier: MIT
// What a task that is reclaimed leaves undone in weft's own Lua functions. Its coroutine is
// dropped, so that what stands behind the call in which it waits never runs: the unlock of `with`,
// the count of an errgroup. A function that has something to do there, however the script's
// function ends, is written as
//     return handler(a, b, protect(fn, ...))
// and says so once (lua/weft/internal/task.lua: lands). Its frame, parked beneath that of
// `protect`, then has a and b on top: nothing is paid while all goes well. Reclaiming finds such
// frames and calls handler(a, b, false, err), as if fn had failed.
//
// Symbols: wf_unwind
#ifndef WF_TASK_UNWIND_H
#define WF_TASK_UNWIND_H

#include <lua.h>

struct wf_task;

// Pushes two lists of calls { handler, a, b, …; n = how many values } that the frames of the
// parked task ask for, innermost first, or nil where there are none: those inside of its run of
// deferred calls (all, if there is none), and those outside. Raises on L when memory is out.
void wf_unwind_push(lua_State *L, const struct wf_task *task);

#endif
