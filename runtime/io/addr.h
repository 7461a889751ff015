// SPDX-License-Identifier: MIT
// Addresses of sockets, as bytes and as text: "127.0.0.1:80", "[::1]:80", a path.
#ifndef WF_IO_ADDR_H
#define WF_IO_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

typedef union wf_addr {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
} wf_addr;

enum { WF_ADDR_TEXT = 120 };  // room for any of them

// From an address in digits, without a name to be looked up. False when it is none.
bool wf_addr_parse(wf_addr *addr, const char *ip, int port);

// The host part alone, and all of it.
void wf_addr_host(const struct sockaddr *addr, char *buf, size_t size);
void wf_addr_text(const struct sockaddr *addr, char *buf, size_t size);

// Bytes of it that the system looks at.
socklen_t wf_addr_size(const wf_addr *addr);

// What the socket says of itself, or of its peer, as text. 0, or a code of libuv's.
int wf_addr_of_socket(int fd, bool peer, char *buf, size_t size);

#endif
