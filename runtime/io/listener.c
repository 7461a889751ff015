// SPDX-License-Identifier: MIT
#include "io/listener.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "sched/runtime.h"
#include "task/mark.h"

enum { RETRY_NS = 20000000 };

static void close_fds(wf_listener *l) {
  if (l->fd >= 0) (void)close(l->fd);
  if (l->accepted >= 0) (void)close(l->accepted);
  l->fd = l->accepted = -1;
  if (l->owns_path) (void)unlink(l->name);
  l->owns_path = false;
  wf_gate_forget(l->gate);
  l->gate = NULL;
  (void)wf_timer_stop(&l->h.obj.vm->timers, &l->retry);
}

static void destroy(wf_obj *obj) {
  wf_listener *l = (wf_listener *)obj;
  wf_handle_collect(&l->h);
  close_fds(l);
  if (l->name != NULL) wf_mem_free(wf_obj_mem(obj), l->name, strlen(l->name) + 1);
}

static void visit(wf_obj *obj, wf_mark *m) {
  const wf_link *queue = &((wf_listener *)obj)->acceptors;
  for (wf_link *l = queue->next; l != queue; l = l->next) {
    wf_mark_task(m, wf_container_of(l, wf_waiter, link)->task);
  }
}

static void let_go(wf_obj *obj) { wf_handle_rest((wf_handle *)obj); }

static void describe(const wf_obj *obj, const wf_task *task, char *buf, size_t size) {
  const wf_listener *l = (const wf_listener *)obj;
  (void)snprintf(buf, size, "%s %s%s", l->network, l->name != NULL ? l->name : "",
                 task != NULL ? " accept" : "");
}

static const wf_kind kind = {.name = "listener",
                             .size = sizeof(wf_listener),
                             .destroy = destroy,
                             .let_go = let_go,
                             .visit = visit,
                             .describe = describe};

// libuv, or the clock, says so; several may be there, and each acceptor asks for as many as there
// are.
static void wake_first(wf_listener *l) {
  wf_obj_ref(&l->h.obj);
  while (!wf_list_empty(&l->acceptors) && !wf_handle_wake(&l->acceptors, 0)) {
  }
  wf_listener_settle(l);
  wf_obj_unref(&l->h.obj);
}

static void on_retry(wf_timer *timer) { wake_first(wf_container_of(timer, wf_listener, retry)); }

wf_listener *wf_listener_new(wf_vm *vm, lua_State *L, const char *network) {
  wf_listener *l = (wf_listener *)wf_handle_new(vm, L, &kind);
  wf_list_init(&l->acceptors);
  l->network = network;
  l->fd = l->accepted = -1;
  l->retry.fire = on_retry;
  l->retry.owner = &l->h.obj;
  return l;
}

wf_listener *wf_listener_at(lua_State *L, int idx) {
  return (wf_listener *)wf_handle_at(L, idx, &kind);
}

static bool set_name(wf_listener *l, const char *name) {
  size_t size = strlen(name) + 1;
  l->name = wf_mem_new(wf_obj_mem(&l->h.obj), size);
  if (l->name != NULL) memcpy(l->name, name, size);
  return l->name != NULL;
}

static int set_option(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value);
}

// From here on the socket is the listener's in any case.
static int begin(wf_listener *l, const struct sockaddr *addr, socklen_t size,
                 const wf_listen_options *options) {
  if (bind(l->fd, addr, size) != 0) return uv_translate_sys_error(errno);
  l->owns_path = addr->sa_family == AF_UNIX;
  if (listen(l->fd, options->backlog) != 0) return uv_translate_sys_error(errno);
  if (options->max_conns != 0) {
    l->gate = wf_gate_new(l, wf_obj_mem(&l->h.obj), options->max_conns);
    if (l->gate == NULL) return UV_ENOMEM;
  }
  wf_uv *uv = wf_uv_new(l->h.obj.vm, UV_POLL);
  if (uv == NULL) return UV_ENOMEM;
  int rc = uv_poll_init_socket(wf_handle_loop(l->h.obj.vm), &uv->u.poll, l->fd);
  if (rc != 0) {
    wf_uv_free(uv);
    return rc;
  }
  wf_handle_own(&l->h, uv);
  return 0;
}

int wf_listener_tcp(wf_listener *l, const wf_addr *addr, const wf_listen_options *options) {
  int family = addr->any.sa_family;
  l->fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (l->fd < 0) return uv_translate_sys_error(errno);
  (void)set_option(l->fd, SOL_SOCKET, SO_REUSEADDR, 1);
  // Connections inherit it.
  (void)set_option(l->fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (family == AF_INET6) {
    (void)set_option(l->fd, IPPROTO_IPV6, IPV6_V6ONLY, options->only_v6);
  }
  if (options->reuse_port && set_option(l->fd, SOL_SOCKET, SO_REUSEPORT, 1) != 0) {
    return uv_translate_sys_error(errno);
  }
  int rc = begin(l, &addr->any, wf_addr_size(addr), options);
  char name[WF_ADDR_TEXT];
  if (rc == 0) rc = wf_addr_of_socket(l->fd, false, name, sizeof name);
  return rc != 0 ? rc : set_name(l, name) ? 0 : UV_ENOMEM;
}

int wf_listener_unix(wf_listener *l, const char *path, const wf_listen_options *options) {
  struct sockaddr_un addr = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof addr.sun_path) return UV_ENAMETOOLONG;
  memcpy(addr.sun_path, path, strlen(path) + 1);
  if (!set_name(l, path)) return UV_ENOMEM;
  l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (l->fd < 0) return uv_translate_sys_error(errno);
  return begin(l, (const struct sockaddr *)&addr, sizeof addr, options);
}

// Waiting ----------------------------------------------------------------------------------------

static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)status;  // whoever asks next gets the error
  (void)events;
  wake_first((wf_listener *)wf_uv_owner(poll));
}

// Watches as long as somebody wants to know.
static int watch(wf_listener *l) {
  bool wanted = !wf_list_empty(&l->acceptors) && !wf_timer_armed(&l->retry) &&
                !wf_gate_is_shut(l->gate) && l->h.uv != NULL;
  if (wanted == l->watching) return 0;
  l->watching = wanted;
  if (l->h.uv == NULL) return 0;
  if (!wanted) return uv_poll_stop(&l->h.uv->u.poll);
  int rc = uv_poll_start(&l->h.uv->u.poll, UV_READABLE, on_readable);
  if (rc != 0) l->watching = false;
  return rc;
}

void wf_listener_settle(wf_listener *l) {
  (void)watch(l);
  if (!wf_list_empty(&l->acceptors)) return;
  (void)wf_timer_stop(&l->h.obj.vm->timers, &l->retry);
  wf_handle_rest(&l->h);
}

int wf_listener_wait(wf_listener *l, wf_waiter *waiter) {
  wf_list_push(&l->acceptors, &waiter->link);
  int rc = watch(l);
  if (rc != 0) {
    wf_list_remove(&waiter->link);
    return rc;
  }
  wf_handle_engage(&l->h);
  return 0;
}

void wf_listener_has_room(wf_listener *l) {
  if (!wf_list_empty(&l->acceptors)) wake_first(l);
}

void wf_listener_close(wf_listener *l) {
  wf_obj_ref(&l->h.obj);
  wf_handle_wake_all(&l->acceptors, WF_IO_CLOSED);
  wf_handle_close(&l->h);
  l->watching = false;
  close_fds(l);
  wf_handle_rest(&l->h);
  wf_obj_unref(&l->h.obj);
}

// Accepting --------------------------------------------------------------------------------------

static bool is_shortage(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// The connection broke while it waited; what is behind it is fine.
static bool is_gone(int error) {
  return error == ECONNABORTED || error == EINTR || error == EPROTO || error == ENETDOWN ||
         error == EHOSTUNREACH || error == ENETUNREACH;
}

static int next_fd(wf_listener *l, wf_addr *peer) {
  if (l->accepted >= 0) return 0;
  int fd;
  do {
    socklen_t size = sizeof *peer;
    fd = accept4(l->fd, l->owns_path ? NULL : &peer->any, l->owns_path ? NULL : &size,
                 SOCK_CLOEXEC | SOCK_NONBLOCK);
  } while (fd < 0 && is_gone(errno));
  l->accepted = fd;
  if (fd >= 0) return 0;
  int error = errno;
  if (!is_shortage(error)) return uv_translate_sys_error(error);
  uint64_t now = wf_clock_now(&l->h.obj.vm->clock);
  if (!wf_timer_armed(&l->retry) &&
      !wf_timer_arm(&l->h.obj.vm->timers, &l->retry, now + RETRY_NS)) {
    return uv_translate_sys_error(error);
  }
  return UV_EAGAIN;
}

int wf_listener_accept(lua_State *L, wf_listener *l) {
  wf_addr peer = {.any.sa_family = AF_UNSPEC};
  if (wf_gate_is_shut(l->gate)) return UV_EAGAIN;
  int rc = next_fd(l, &peer);
  if (rc != 0) return rc;
  wf_stream *s = wf_stream_new(l->h.obj.vm, L, l->network);
  rc = wf_stream_open_fd(s, l->owns_path ? UV_NAMED_PIPE : UV_TCP, l->accepted);
  if (rc != 0) {
    if (rc != UV_ENOMEM) {
      (void)close(l->accepted);
      l->accepted = -1;
    }
    return rc;
  }
  l->accepted = -1;
  s->peer = peer;
  if (l->owns_path) (void)wf_stream_set_name(s, l->name);  // else it stays without
  wf_gate_enter(l->gate, s);
  return 0;
}
