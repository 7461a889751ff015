// SPDX-License-Identifier: MIT
#include "io/addr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <uv.h>

bool wf_addr_parse(wf_addr *addr, const char *ip, int port) {
  memset(addr, 0, sizeof *addr);
  return uv_ip4_addr(ip, port, &addr->v4) == 0 || uv_ip6_addr(ip, port, &addr->v6) == 0;
}

void wf_addr_host(const struct sockaddr *addr, char *buf, size_t size) {
  buf[0] = '\0';
  if (addr->sa_family == AF_INET6) {
    (void)uv_ip6_name((const struct sockaddr_in6 *)(const void *)addr, buf, size);
  } else if (addr->sa_family == AF_INET) {
    (void)uv_ip4_name((const struct sockaddr_in *)(const void *)addr, buf, size);
  }
}

void wf_addr_text(const struct sockaddr *addr, char *buf, size_t size) {
  char host[WF_ADDR_TEXT];
  if (addr->sa_family == AF_UNIX) {
    const struct sockaddr_un *un = (const struct sockaddr_un *)(const void *)addr;
    (void)snprintf(buf, size, "%s%s",
                   un->sun_path[0] == '\0' && un->sun_path[1] != '\0' ? "@" : "",
                   un->sun_path[0] == '\0' ? un->sun_path + 1 : un->sun_path);
    return;
  }
  wf_addr_host(addr, host, sizeof host);
  if (addr->sa_family == AF_INET6) {
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)addr;
    (void)snprintf(buf, size, "[%s]:%u", host, ntohs(v6->sin6_port));
  } else {
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)addr;
    (void)snprintf(buf, size, "%s:%u", host, ntohs(v4->sin_port));
  }
}

socklen_t wf_addr_size(const wf_addr *addr) {
  return addr->any.sa_family == AF_INET6 ? sizeof addr->v6 : sizeof addr->v4;
}

int wf_addr_of_socket(int fd, bool peer, char *buf, size_t size) {
  union {
    struct sockaddr any;
    struct sockaddr_un un;
    struct sockaddr_storage all;
  } addr;
  memset(&addr, 0, sizeof addr);
  socklen_t length = sizeof addr - 1;  // a path may come without its end
  int rc = peer ? getpeername(fd, &addr.any, &length) : getsockname(fd, &addr.any, &length);
  if (rc != 0) return uv_translate_sys_error(errno);
  wf_addr_text(&addr.any, buf, size);
  return 0;
}
