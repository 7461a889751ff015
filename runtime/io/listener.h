// SPDX-License-Identifier: MIT
// Sockets that connections come to. Whoever accepts asks the system itself, one connection after
// another until there are no more, and only then waits: libuv says when it is worth asking again.
// Connections that nobody asks for stay in the system's queue, also where there is no descriptor
// left for them: accepting is tried again after a while then.
// Symbols: wf_listener
#ifndef WF_IO_LISTENER_H
#define WF_IO_LISTENER_H

#include "io/addr.h"
#include "io/gate.h"
#include "io/handle.h"
#include "io/stream.h"

typedef struct wf_listener {
  wf_handle h;
  const char *network;
  char *name;
  wf_link acceptors;
  wf_timer retry;  // armed while descriptors are short
  wf_gate *gate;   // NULL: any number of connections
  int fd;          // -1: closed
  int accepted;    // a connection that there was no memory for, or -1
  uint32_t eager;  // connections that did not have to be waited for
  bool watching;   // libuv does
  bool owns_path;  // `name` is a file to be removed
} wf_listener;

typedef struct wf_listen_options {
  int backlog;
  bool reuse_port, only_v6;
  uint32_t max_conns;  // 0: any number
} wf_listen_options;

// Pushes a userdata with a new one that does not listen yet. Raises when memory is out.
wf_listener *wf_listener_new(wf_vm *vm, lua_State *L, const char *network);

wf_listener *wf_listener_at(lua_State *L, int idx);

// Makes it listen at an address, or a path. 0, or a code of libuv's.
int wf_listener_tcp(wf_listener *l, const wf_addr *addr, const wf_listen_options *options);
int wf_listener_unix(wf_listener *l, const char *path, const wf_listen_options *options);

// Pushes the userdata of the next connection, and returns 0; UV_EAGAIN: one has to wait; or
// another code of libuv's. Raises when memory is out, and the connection is the next one still.
int wf_listener_accept(lua_State *L, wf_listener *l);

// Queues the waiter of the running task, which parks: it is woken when it may ask again. 0, or a
// code of libuv's.
int wf_listener_wait(wf_listener *l, wf_waiter *waiter);

// A context has ended a wait. May free the listener.
void wf_listener_settle(wf_listener *l);

// One of its connections has been closed.
void wf_listener_has_room(wf_listener *l);

void wf_listener_close(wf_listener *l);

#endif
