// SPDX-License-Identifier: MIT
#include "io/udp.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "sched/runtime.h"
#include "task/mark.h"
#include "task/task.h"

static void close_fd(wf_udp *u) {
  if (u->fd >= 0) (void)close(u->fd);
  u->fd = -1;
}

static void destroy(wf_obj *obj) {
  wf_handle_collect((wf_handle *)obj);
  close_fd((wf_udp *)obj);
}

static void mark_queue(const wf_link *queue, wf_mark *m) {
  for (wf_link *l = queue->next; l != queue; l = l->next) {
    wf_mark_task(m, wf_container_of(l, wf_waiter, link)->task);
  }
}

static void visit(wf_obj *obj, wf_mark *m) {
  const wf_udp *u = (wf_udp *)obj;
  mark_queue(&u->receivers, m);
  mark_queue(&u->senders, m);
}

static void let_go(wf_obj *obj) { wf_handle_rest((wf_handle *)obj); }

static void describe(const wf_obj *obj, const wf_task *task, char *buf, size_t size) {
  const wf_udp *u = (const wf_udp *)obj;
  const char *what = "";
  if (task != NULL) what = task->wait.waiter.op == WF_OP_RECV ? " receive" : " send";
  (void)snprintf(buf, size, "udp %s%s", u->name, what);
}

static const wf_kind kind = {.name = "udp socket",
                             .size = sizeof(wf_udp),
                             .destroy = destroy,
                             .let_go = let_go,
                             .visit = visit,
                             .describe = describe};

static int open_socket(wf_udp *u, const wf_addr *addr) {
  u->family = addr->any.sa_family;
  u->fd = socket(u->family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (u->fd < 0 || bind(u->fd, &addr->any, wf_addr_size(addr)) != 0) {
    return uv_translate_sys_error(errno);
  }
  int rc = wf_addr_of_socket(u->fd, false, u->name, sizeof u->name);
  if (rc != 0) return rc;
  wf_uv *uv = wf_uv_new(u->h.obj.vm, UV_POLL);
  if (uv == NULL) return UV_ENOMEM;
  rc = uv_poll_init_socket(wf_handle_loop(u->h.obj.vm), &uv->u.poll, u->fd);
  if (rc != 0) {
    wf_uv_free(uv);
    return rc;
  }
  wf_handle_own(&u->h, uv);
  return 0;
}

int wf_udp_open(wf_vm *vm, lua_State *L, const wf_addr *addr) {
  wf_udp *u = (wf_udp *)wf_handle_new(vm, L, &kind);
  wf_list_init(&u->receivers);
  wf_list_init(&u->senders);
  int rc = open_socket(u, addr);
  if (rc != 0) close_fd(u);
  return rc;
}

wf_udp *wf_udp_at(lua_State *L, int idx) { return (wf_udp *)wf_handle_at(L, idx, &kind); }

int wf_udp_connect(wf_udp *u, const wf_addr *addr) {
  if (connect(u->fd, &addr->any, wf_addr_size(addr)) != 0) return uv_translate_sys_error(errno);
  return wf_addr_of_socket(u->fd, false, u->name, sizeof u->name);
}

ssize_t wf_udp_receive(wf_udp *u, char *buf, size_t max, wf_addr *from) {
  ssize_t n;
  do {
    socklen_t size = sizeof *from;
    n = recvfrom(u->fd, buf, max, 0, &from->any, &size);
  } while (n < 0 && errno == EINTR);
  return n >= 0 ? n : uv_translate_sys_error(errno);
}

int wf_udp_send(wf_udp *u, const char *data, size_t size, const wf_addr *to) {
  ssize_t n;
  do {
    n = sendto(u->fd, data, size, MSG_NOSIGNAL, to != NULL ? &to->any : NULL,
               to != NULL ? wf_addr_size(to) : 0);
  } while (n < 0 && errno == EINTR);
  return n >= 0 ? 0 : uv_translate_sys_error(errno);
}

static void wake_first(wf_link *queue) {
  while (!wf_list_empty(queue) && !wf_handle_wake(queue, 0)) {
  }
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  wf_udp *u = (wf_udp *)wf_uv_owner(poll);
  wf_obj_ref(&u->h.obj);
  // Whoever tries again gets the error.
  if (status != 0 || (events & UV_READABLE) != 0) wake_first(&u->receivers);
  if (status != 0 || (events & UV_WRITABLE) != 0) wake_first(&u->senders);
  wf_udp_settle(u);
  wf_obj_unref(&u->h.obj);
}

static int watch(wf_udp *u) {
  int wanted = (wf_list_empty(&u->receivers) ? 0 : UV_READABLE) |
               (wf_list_empty(&u->senders) ? 0 : UV_WRITABLE);
  if (u->h.uv == NULL || wanted == u->watched) return 0;
  u->watched = wanted;
  if (wanted == 0) return uv_poll_stop(&u->h.uv->u.poll);
  int rc = uv_poll_start(&u->h.uv->u.poll, wanted, on_ready);
  if (rc != 0) u->watched = 0;
  return rc;
}

void wf_udp_settle(wf_udp *u) {
  (void)watch(u);
  if (wf_list_empty(&u->receivers) && wf_list_empty(&u->senders)) wf_handle_rest(&u->h);
}

int wf_udp_wait(wf_udp *u, bool receives, wf_waiter *waiter) {
  waiter->op = receives ? WF_OP_RECV : WF_OP_SEND;
  wf_list_push(receives ? &u->receivers : &u->senders, &waiter->link);
  int rc = watch(u);
  if (rc != 0) {
    wf_list_remove(&waiter->link);
    return rc;
  }
  wf_handle_engage(&u->h);
  return 0;
}

void wf_udp_close(wf_udp *u) {
  wf_obj_ref(&u->h.obj);
  wf_handle_wake_all(&u->receivers, WF_IO_CLOSED);
  wf_handle_wake_all(&u->senders, WF_IO_CLOSED);
  wf_handle_close(&u->h);
  u->watched = 0;
  close_fd(u);
  wf_handle_rest(&u->h);
  wf_obj_unref(&u->h.obj);
}
