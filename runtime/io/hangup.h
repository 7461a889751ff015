// SPDX-License-Identifier: MIT
// Contexts that are cancelled when the peer of a connection hangs up, or the connection is closed.
// The system tells it of a second descriptor of the socket, so that nothing is read for it and
// nothing that has not been read is in the way.
// Symbols: wf_hangup
#ifndef WF_IO_HANGUP_H
#define WF_IO_HANGUP_H

#include "conc/context.h"
#include "io/stream.h"

// The context ends with the connection, which is open. 0, or a code of libuv's. Raises when memory
// is out.
int wf_hangup_add(lua_State *L, wf_stream *s, wf_ctx *ctx);

// The connection is closed: ends them.
void wf_hangup_close(wf_stream *s);

#endif
