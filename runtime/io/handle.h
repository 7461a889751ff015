// SPDX-License-Identifier: MIT
// Objects that own a libuv handle. Closing one is asynchronous: the memory that libuv knows of, a
// wf_uv, lives until its close callback, whatever has become of the object, its VM and its Lua
// state by then; the loop is the last to go (wf_loop_close). The object lives by its count, as all
// do, and closes its handle when it goes.
//
// A handle keeps the program from being called dead only while a task waits for it: it is ref'd
// for libuv, and held (task/obj.h) for weft.leaks, from wf_handle_engage until wf_handle_rest.
//
// A wait ends with true, or with false and a number: one of libuv's, below 0, or a wf_io_code. The
// Lua frame around the call makes words of it, as nothing may be allocated on a parked stack.
// Symbols: wf_handle, wf_uv, wf_io_code
#ifndef WF_IO_HANDLE_H
#define WF_IO_HANDLE_H

#include <uv.h>

#include "sched/worker.h"
#include "task/obj.h"
#include "task/wait.h"

// How an operation ended that the system has not refused.
typedef enum wf_io_code { WF_IO_CLOSED = 1, WF_IO_TIMEOUT, WF_IO_TOO_LONG } wf_io_code;

struct wf_handle;

typedef struct wf_uv {
  struct wf_handle *owner;  // NULL once it is being closed
  wf_mem mem;               // by value: it may outlive the runtime
  size_t size;
  union {
    uv_handle_t handle;
    uv_stream_t stream;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
    uv_tty_t tty;
    uv_udp_t udp;
    uv_poll_t poll;
  } u;  // as much of it as the kind of handle needs
} wf_uv;

typedef struct wf_handle {
  wf_obj obj;
  wf_uv *uv;      // NULL: closed
  wf_held held;   // while a task waits
  uint32_t site;  // where it was opened, for --warn-unclosed
} wf_handle;

// Memory for a handle of this type, which is not initialised; NULL when memory is out.
wf_uv *wf_uv_new(wf_vm *vm, uv_handle_type type);

// Of one that libuv does not know.
void wf_uv_free(wf_uv *uv);

// Has libuv close it and frees it then. Nobody owns it any more.
void wf_uv_close(wf_uv *uv);

static inline struct wf_handle *wf_uv_owner(const void *handle) {
  return ((const wf_uv *)((const uv_handle_t *)handle)->data)->owner;
}

uv_loop_t *wf_handle_loop(const wf_vm *vm);

// To be called where a callback of libuv's makes a task ready in any other way than the functions
// below: the loop is not to wait then.
static inline void wf_handle_happened(const wf_vm *vm) { vm->worker->loop.happened = true; }

// Pushes a userdata with a new object of `kind`, without a handle. Raises when memory is out.
wf_handle *wf_handle_new(wf_vm *vm, lua_State *L, const wf_kind *kind);

// The object of `kind` at idx, or NULL.
wf_handle *wf_handle_at(lua_State *L, int idx, const wf_kind *kind);

// The object owns that initialised handle from now on. It keeps no loop going yet.
void wf_handle_own(wf_handle *h, wf_uv *uv);

// Closes what it owns. Whoever waits is the caller's to wake.
void wf_handle_close(wf_handle *h);

// wf_handle_close by a finaliser, which is reported when the runtime is asked to.
void wf_handle_collect(wf_handle *h);

// For --warn-unclosed: where a script opens something, 0 when nobody wants to know (raises when
// memory is out); and the report that the object was collected open. `where`: behind the kind's
// name; NULL: as it describes itself.
uint32_t wf_handle_site(wf_vm *vm, lua_State *L);
void wf_handle_unclosed(const wf_obj *obj, const char *where, uint32_t site);

// A task waits; nobody does any more. The latter may free the object, and is harmless twice.
void wf_handle_engage(wf_handle *h);
void wf_handle_rest(wf_handle *h);

// Ends the wait of the first in the queue. False: another thread has ended it, and it is out.
bool wf_handle_wake(wf_link *queue, int code);

// The same for that waiter, wherever in a queue it stands.
bool wf_handle_wake_one(wf_waiter *waiter, int code);

// All of them.
void wf_handle_wake_all(wf_link *queue, int code);

// "connection refused": the system's words for a code of libuv's. Into buf, which is returned.
const char *wf_handle_words(int code, char *buf, size_t size);

#endif
