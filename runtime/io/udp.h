// SPDX-License-Identifier: MIT
// Datagram sockets. The system's queue is the only one: a task receives and sends by itself, and
// waits, first in, first out, until libuv says that it is worth trying again.
// Symbols: wf_udp
#ifndef WF_IO_UDP_H
#define WF_IO_UDP_H

#include "io/addr.h"
#include "io/handle.h"

typedef struct wf_udp {
  wf_handle h;
  wf_link receivers, senders;
  int fd;          // -1: closed
  int watched;     // what libuv watches for: UV_READABLE, UV_WRITABLE
  uint32_t eager;  // calls that did not have to wait
  sa_family_t family;
  char name[WF_ADDR_TEXT];
} wf_udp;

// Pushes a userdata with a new one, bound to the address, and returns 0; or a code of libuv's.
// Raises when memory is out.
int wf_udp_open(wf_vm *vm, lua_State *L, const wf_addr *addr);

wf_udp *wf_udp_at(lua_State *L, int idx);

// From now on it sends to that address, and receives from it alone. 0, or a code.
int wf_udp_connect(wf_udp *u, const wf_addr *addr);

// The size of the next datagram, of which `max` bytes are put into buf; UV_EAGAIN, or another
// code.
ssize_t wf_udp_receive(wf_udp *u, char *buf, size_t max, wf_addr *from);

// 0; UV_EAGAIN, or another code. `to` NULL: the connected one.
int wf_udp_send(wf_udp *u, const char *data, size_t size, const wf_addr *to);

// Queues the waiter of the running task, which parks. 0, or a code.
int wf_udp_wait(wf_udp *u, bool receives, wf_waiter *waiter);

// A wait has ended, or something has happened. May free it.
void wf_udp_settle(wf_udp *u);

void wf_udp_close(wf_udp *u);

#endif
