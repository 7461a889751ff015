// SPDX-License-Identifier: MIT
// Streams: tcp and unix connections, pipes, terminals, and files that stand for one of these
// (weft.stdout > file). Reading is in io/intake, writing in io/outlet; here is what they share:
// life, who waits, and until when.
//
// Tasks that read stand in `readers`, those that write (or connect, or shut down) in `writers`,
// first in, first out; of each queue only the first is served. What a task wants is on its parked
// stack, where the door left it (lib/stream.c), with the time it gives up at on top: nothing is
// allocated for a wait.
// Symbols: wf_stream, WF_STREAM, WF_READ
#ifndef WF_IO_STREAM_H
#define WF_IO_STREAM_H

#include "base/size.h"
#include "io/addr.h"
#include "io/handle.h"
#include "task/park.h"

typedef enum wf_read_mode {
  WF_READ_SOME,     // what there is, at most n bytes
  WF_READ_EXACTLY,  // n bytes
  WF_READ_UNTIL,    // up to and with a separator that begins within n bytes
  WF_READ_LINE,     // the same for "\n"; comes without it, and without a "\r" before it
  WF_READ_ALL,      // all until the end, at most n bytes
  WF_READ_INTO,     // what there is, at most n bytes, for wf_intake_take_into
} wf_read_mode;

// A read, as it lies on the stack of whoever waits.
typedef struct wf_want {
  wf_read_mode mode;
  size_t n;
  const char *sep;
  size_t sep_size;
} wf_want;

struct wf_out;
struct wf_hangup;
struct wf_gate;

typedef struct wf_stream {
  wf_handle h;
  const char *network;  // "tcp", "unix", "pipe", "tty", "file"
  char *name;           // where it leads to, or NULL:
  wf_addr peer;         // of tcp; no family: unknown
  wf_link readers, writers;
  wf_timer timers[2];    // of the readers, of the writers: the next who gives up
  uint64_t deadline_ns;  // of all operations, WF_NEVER
  uint64_t timeout_ns;   // of each, WF_NEVER
  // Reading: what has come and nobody has taken is buf[start, end).
  char *buf;
  size_t start, end, capacity;
  wf_want want;         // of the reader that was looked at last,
  uint64_t want_of;     // and its number; 0: none
  size_t scanned;       // bytes from `start` in which there is no separator,
  uint64_t scanned_by;  // as far as that task is concerned
  int end_code;         // what comes after the buffer: 0, UV_EOF or an error
  bool reading;         // libuv reads, or a thread does
  bool due;             // the first reader has been woken and has not taken its bytes yet,
  bool left;            // and the system still has them: it reads them itself
  bool pushing;         // a string is being made of what is in the buffer, which has to stay
  // Writing.
  struct wf_out *out;  // what libuv has of a write that did not go out at once
  uint64_t begun_of;   // the task whose write began last that had to wait for others; 0: none
  bool connecting;
  bool shut;                 // no more writes
  uint32_t eager;            // operations that did not have to wait
  struct wf_hangup *hangup;  // contexts that end with the connection; NULL: none
  struct wf_gate *gate;      // of the listener that counts it; NULL: none does
  int fd;                    // of a file, without a handle; -1: none. It is not the stream's
  int standard;              // 1 + the number of a standard stream (io/stdio.h); 0: none
} wf_stream;

enum { WF_STREAM_READ, WF_STREAM_WRITE };

// wf_waiter.slot of the first writer: what it waits for is under way.
enum { WF_STREAM_UNDER_WAY = 1 };

// How much is kept that nobody asks for.
enum { WF_STREAM_AHEAD = WF_SIZE(65536, 32) };

// Pushes a userdata with a new stream that is not connected to anything. Raises when memory is
// out.
wf_stream *wf_stream_new(wf_vm *vm, lua_State *L, const char *network);

// The stream at idx, or NULL.
wf_stream *wf_stream_at(lua_State *L, int idx);

// The stream has that open descriptor, of this type, from now on; it is closed with it. 0, or a
// code of libuv's, and then the descriptor is still the caller's.
int wf_stream_open_fd(wf_stream *s, uv_handle_type type, int fd);

// The stream gets a handle of this type, to be connected: UV_TCP, UV_NAMED_PIPE. The same.
int wf_stream_open(wf_stream *s, uv_handle_type type);

// Keeps a copy of the name; false when memory is out.
bool wf_stream_set_name(wf_stream *s, const char *name);

static inline bool wf_stream_is_open(const wf_stream *s) { return s->h.uv != NULL || s->fd >= 0; }

// The descriptor, or -1.
int wf_stream_fd(const wf_stream *s);

// Wakes all who wait, and closes. What was written and has not gone out is lost.
void wf_stream_close(wf_stream *s);

// When an operation that begins now gives up, as lies on the parked stack; HUGE_VAL: never.
double wf_stream_expiry(const wf_stream *s);

// Whether the deadline has passed: nothing is even begun then.
bool wf_stream_is_late(const wf_stream *s);

// Queues the waiter of the running task, which is about to park with `expiry` on top of its stack.
// False when memory is out: nothing has changed.
bool wf_stream_wait(wf_stream *s, int direction, wf_waiter *waiter, double expiry);

// A deadline for all operations, also for those that wait now; WF_NEVER: none. False when memory
// is out.
bool wf_stream_set_deadline(wf_stream *s, uint64_t when_ns);

// Someone has left a queue, or something has happened: lets go of what nobody waits for. May free
// the stream.
void wf_stream_settle(wf_stream *s);

// Whether a write should let others run: every so often, so that a task whose peer is always ready
// does not keep the rest waiting for ever.
static inline bool wf_stream_has_had_much(wf_stream *s) {
  return ++s->eager % WF_SIZE(64, 1) == 0;
}

#endif
