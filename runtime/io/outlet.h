// SPDX-License-Identifier: MIT
// Writing to a stream. A write goes straight to the system; what does not fit is copied and given
// to libuv, and the task waits until that has gone out. Further writers wait behind it with their
// strings on their own stacks, so that a stream keeps a copy of one write at most, and writes are
// never mixed.
//
// A write that was cancelled, or has run out of time, before any of it was taken has not happened.
// Of one that had begun the rest still goes out, before all later ones: what the peer gets are
// whole writes, or the end of the stream.
// Symbols: wf_outlet
#ifndef WF_IO_OUTLET_H
#define WF_IO_OUTLET_H

#include "io/stream.h"

// Writes the strings in the slots [first, last] of L's stack; others than strings are left out. 1:
// the system has all of it. 0: the task has to wait, in `writers`, and *slot is what its waiter
// gets as `slot`. Below 0: a code of libuv's; what was before it may have gone out.
int wf_outlet_write(lua_State *L, wf_stream *s, int first, int last, int16_t *slot);

// The same for size bytes of data, which are not needed any more when it returns; 0 and no slot:
// others write first, and these have not been looked at.
int wf_outlet_write_from(wf_stream *s, const char *data, size_t size, int16_t *slot);

// Shuts down the writing side when all writes have gone out. As above.
int wf_outlet_shut(wf_stream *s, int16_t *slot);

// Connects the open handle. 0, and the writer waits with the slot WF_STREAM_UNDER_WAY; or a code.
int wf_outlet_connect_tcp(wf_stream *s, const struct sockaddr *addr);
int wf_outlet_connect_unix(wf_stream *s, const char *path);

// The stream has been closed: what has not gone out does not any more.
void wf_outlet_drop(wf_stream *s);

// Somebody has left the queue: the next one writes if it can. May free the stream.
void wf_outlet_serve(wf_stream *s);

#endif
