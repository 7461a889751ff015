// SPDX-License-Identifier: MIT
// Looking names up: with c-ares, whose sockets and timeouts are watched by the VM's event loop, or
// with the system's resolver on a thread of libuv's. c-ares reads /etc/hosts and /etc/resolv.conf
// when the VM first looks something up.
//
// A look-up is an object with at most one waiter. Whoever gives it up leaves it to end by itself;
// its answer is dropped then.
// Symbols: wf_dns
#ifndef WF_IO_DNS_H
#define WF_IO_DNS_H

#include "io/handle.h"

typedef struct wf_dns_lookup wf_dns_lookup;

// Pushes a userdata with a look-up of `host`, under way; family 0, 4 or 6. `label` says in reports
// what is waited for. Raises when memory is out. 0, or a code of libuv's: nothing was pushed then.
int wf_dns_start(wf_vm *vm, lua_State *L, const char *host, int family, bool by_system);

wf_dns_lookup *wf_dns_at(lua_State *L, int idx);

// Whether it has ended; *code is 0, or one of libuv's.
bool wf_dns_has_ended(const wf_dns_lookup *lookup, int *code);

// Queues the waiter of the running task, which parks.
void wf_dns_wait(wf_dns_lookup *lookup, wf_waiter *waiter);

// Nobody waits any more.
void wf_dns_leave(wf_dns_lookup *lookup);

// Pushes a list of the addresses found. Raises when memory is out.
void wf_dns_push(lua_State *L, const wf_dns_lookup *lookup);

// The VM is about to be closed.
void wf_dns_close(wf_vm *vm);

#endif
