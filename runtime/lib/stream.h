// SPDX-License-Identifier: MIT
// What the doors of streams have in common.
// Symbols: wf_door
#ifndef WF_LIB_STREAM_H
#define WF_LIB_STREAM_H

#include "io/stream.h"

// The stream of the connection at 1. Raises that it is none.
wf_stream *wf_door_stream(lua_State *L, const char *fname);

// Pushes false and the code: what is returned then.
int wf_door_io_code(lua_State *L, int code);

// Queues the waiter and parks the running task, which keeps the first `nkeep` values of its stack:
// all that there are. To be returned.
int wf_door_io_park(lua_State *L, wf_stream *s, int direction, wf_waiter *waiter, int nkeep);

#endif
