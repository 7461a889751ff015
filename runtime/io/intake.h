// SPDX-License-Identifier: MIT
// Reading from a stream. What comes goes into the stream's buffer, from where the first reader
// takes it; libuv reads ahead, as starting and stopping costs more than a read, until there is as
// much as WF_STREAM_AHEAD that nobody has asked for: then it stops, and the peer has to wait.
//
// Who waits for just anything is woken when something comes, and reads it itself when it runs
// (`left`): the bytes are in the processor's caches then, and one block is enough for all streams.
// (Echo of 16 KiB on 64 connections 9.1 -> 7.2 us, on 1,000 17 -> 11; of 64 bytes the same.)
// Until these tasks have run the loop is not asked for more: it would tell of them again.
//
// A reader that has been woken (`due`) takes its bytes when it runs; until then nobody else does.
// Symbols: wf_intake
#ifndef WF_IO_INTAKE_H
#define WF_IO_INTAKE_H

#include "io/stream.h"

typedef enum wf_intake_result {
  WF_INTAKE_WAIT,   // not yet: nothing has been pushed or taken
  WF_INTAKE_BYTES,  // a string has been pushed; for WF_READ_INTO true, and nothing taken
  WF_INTAKE_CODE,   // *code says why there will be none
} wf_intake_result;

// What can be said at once to a task that wants to read now: it waits when others do. May raise
// when memory is out, and then nothing has been taken.
wf_intake_result wf_intake_try(lua_State *L, wf_stream *s, const wf_want *want, int *code);

// The same for the reader that has been woken: there is something, unless somebody else has read
// what was left. Its want lies on the stack from 2 on.
wf_intake_result wf_intake_take(lua_State *L, wf_stream *s, int *code);

// What WF_READ_INTO asks for, of a task that has been told that there is something: into
// to[0, room). *bytes is how many; WF_INTAKE_WAIT: none after all. With `to` NULL it goes without,
// and the next one comes. Pushes nothing, never raises.
wf_intake_result wf_intake_take_into(wf_stream *s, char *to, size_t room, size_t *bytes,
                                     int *code);

// The task is about to queue for that: so nobody has to look for it on its stack.
void wf_intake_expect(wf_stream *s, const wf_task *task, const wf_want *want);

// Has libuv read, for a reader that is about to wait. 0, or a code of libuv's.
int wf_intake_start(wf_stream *s);

// Somebody has left the queue: wakes the next one if it can go on. May free the stream.
void wf_intake_serve(wf_stream *s);

// What has been read and not taken, on its way to another VM.
typedef struct wf_intake_rest {
  char *buf;
  size_t start, end, capacity;
  int end_code;
} wf_intake_rest;

// Takes it out of a stream, puts it into a new one, and frees it. Allocates nothing.
void wf_intake_leave(wf_stream *s, wf_intake_rest *rest);
void wf_intake_put(wf_stream *s, wf_intake_rest *rest);
void wf_intake_drop(wf_mem *mem, wf_intake_rest *rest);

// Drops what nobody has taken.
void wf_intake_free(wf_stream *s);

// The want that lies on the stack from `first` on: mode, n, separator.
wf_want wf_intake_want(lua_State *L, int first);

#endif
