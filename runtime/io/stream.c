// SPDX-License-Identifier: MIT
#include "io/stream.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "io/gate.h"
#include "io/hangup.h"
#include "io/intake.h"
#include "io/moved.h"
#include "io/outlet.h"
#include "io/sigpipe.h"
#include "sched/runtime.h"
#include "task/mark.h"

static void stop_timers(wf_stream *s) {
  for (int i = 0; i < 2; i++) (void)wf_timer_stop(&s->h.obj.vm->timers, &s->timers[i]);
}

static void drop(wf_stream *s) {
  wf_mem *mem = wf_obj_mem(&s->h.obj);
  stop_timers(s);
  wf_intake_free(s);
  wf_outlet_drop(s);
  wf_hangup_close(s);
  wf_gate_leave(s);
  if (s->name != NULL) wf_mem_free(mem, s->name, strlen(s->name) + 1);
  s->name = NULL;
}

static void destroy(wf_obj *obj) {
  wf_stream *s = (wf_stream *)obj;
  wf_handle_collect(&s->h);
  drop(s);
}

static void visit(wf_obj *obj, wf_mark *m) {
  const wf_stream *s = (wf_stream *)obj;
  const wf_link *queues[] = {&s->readers, &s->writers};
  for (int i = 0; i < 2; i++) {
    for (wf_link *l = queues[i]->next; l != queues[i]; l = l->next) {
      wf_mark_task(m, wf_container_of(l, wf_waiter, link)->task);
    }
  }
}

static void let_go(wf_obj *obj) { wf_handle_rest((wf_handle *)obj); }

// "tcp 127.0.0.1:80 read"
static void describe(const wf_obj *obj, const wf_task *task, char *buf, size_t size) {
  const wf_stream *s = (const wf_stream *)obj;
  const char *what = "";
  if (task != NULL && wf_link_in_list(&task->wait.waiter.link)) {
    what = task->wait.waiter.op == WF_OP_RECV ? " read" : s->connecting ? " connect" : " write";
  }
  char peer[WF_ADDR_TEXT] = "";
  const char *name = s->name != NULL ? s->name : peer;
  if (s->peer.any.sa_family != AF_UNSPEC) wf_addr_text(&s->peer.any, peer, sizeof peer);
  (void)snprintf(buf, size, "%s%s%s%s", s->network, *name != '\0' ? " " : "", name, what);
}

static const wf_kind kind = {.name = "connection",
                             .size = sizeof(wf_stream),
                             .destroy = destroy,
                             .let_go = let_go,
                             .visit = visit,
                             .describe = describe,
                             .share = &wf_moved_share};

// Time is up for some of the queue. Who stays has its deadline later, and the slot in the heap
// that the timer has just left is free for it.
static void expire(wf_stream *s, int direction) {
  wf_link *queue = direction == WF_STREAM_READ ? &s->readers : &s->writers;
  uint64_t now = s->h.obj.vm->now_ns, next = WF_NEVER;
  wf_obj_ref(&s->h.obj);
  for (wf_link *l = queue->next; l != queue;) {
    wf_waiter *waiter = wf_container_of(l, wf_waiter, link);
    l = l->next;
    double own = lua_tonumber(waiter->task->at, -1);
    uint64_t when = own < (double)s->deadline_ns ? (uint64_t)own : s->deadline_ns;
    if (when <= now) {
      (void)wf_handle_wake_one(waiter, WF_IO_TIMEOUT);
    } else if (when < next) {
      next = when;
    }
  }
  if (next != WF_NEVER) (void)wf_timer_arm(&s->h.obj.vm->timers, &s->timers[direction], next);
  wf_stream_settle(s);
  wf_obj_unref(&s->h.obj);
}

static void read_expired(wf_timer *timer) {
  expire(wf_container_of(timer, wf_stream, timers[WF_STREAM_READ]), WF_STREAM_READ);
}

static void write_expired(wf_timer *timer) {
  expire(wf_container_of(timer, wf_stream, timers[WF_STREAM_WRITE]), WF_STREAM_WRITE);
}

wf_stream *wf_stream_new(wf_vm *vm, lua_State *L, const char *network) {
  wf_stream *s = (wf_stream *)wf_handle_new(vm, L, &kind);
  wf_sigpipe_init();
  wf_list_init(&s->readers);
  wf_list_init(&s->writers);
  s->network = network;
  s->fd = -1;
  s->deadline_ns = s->timeout_ns = WF_NEVER;
  s->timers[WF_STREAM_READ].fire = read_expired;
  s->timers[WF_STREAM_WRITE].fire = write_expired;
  s->timers[0].owner = s->timers[1].owner = &s->h.obj;
  return s;
}

wf_stream *wf_stream_at(lua_State *L, int idx) { return (wf_stream *)wf_handle_at(L, idx, &kind); }

static int init_uv(wf_stream *s, wf_uv *uv, uv_handle_type type) {
  uv_loop_t *loop = wf_handle_loop(s->h.obj.vm);
  if (type == UV_TCP) return uv_tcp_init(loop, &uv->u.tcp);
  return uv_pipe_init(loop, &uv->u.pipe, 0);
}

int wf_stream_open(wf_stream *s, uv_handle_type type) {
  wf_uv *uv = wf_uv_new(s->h.obj.vm, type);
  if (uv == NULL) return UV_ENOMEM;
  int rc = init_uv(s, uv, type);
  if (rc != 0) {
    wf_uv_free(uv);
    return rc;
  }
  wf_handle_own(&s->h, uv);
  return 0;
}

int wf_stream_open_fd(wf_stream *s, uv_handle_type type, int fd) {
  wf_uv *uv = wf_uv_new(s->h.obj.vm, type);
  if (uv == NULL) return UV_ENOMEM;
  int rc;
  if (type == UV_TTY) {
    rc = uv_tty_init(wf_handle_loop(s->h.obj.vm), &uv->u.tty, fd, 0);
    if (rc != 0) {
      wf_uv_free(uv);
      return rc;
    }
  } else {
    rc = init_uv(s, uv, type);
    if (rc != 0) {
      wf_uv_free(uv);
      return rc;
    }
    rc = type == UV_TCP ? uv_tcp_open(&uv->u.tcp, fd) : uv_pipe_open(&uv->u.pipe, fd);
    if (rc != 0) {
      uv->u.handle.data = uv;
      wf_uv_close(uv);
      return rc;
    }
  }
  wf_handle_own(&s->h, uv);
  return 0;
}

bool wf_stream_set_name(wf_stream *s, const char *name) {
  wf_mem *mem = wf_obj_mem(&s->h.obj);
  size_t size = strlen(name) + 1;
  char *copy = wf_mem_new(mem, size);
  if (copy == NULL) return false;
  memcpy(copy, name, size);
  if (s->name != NULL) wf_mem_free(mem, s->name, strlen(s->name) + 1);
  s->name = copy;
  return true;
}

int wf_stream_fd(const wf_stream *s) {
  uv_os_fd_t fd = -1;
  if (s->h.uv == NULL) return s->fd;
  return uv_fileno(&s->h.uv->u.handle, &fd) == 0 ? fd : -1;
}

void wf_stream_close(wf_stream *s) {
  wf_obj_ref(&s->h.obj);
  wf_handle_wake_all(&s->readers, WF_IO_CLOSED);
  wf_handle_wake_all(&s->writers, WF_IO_CLOSED);
  wf_handle_close(&s->h);
  s->fd = -1;
  wf_handle_rest(&s->h);
  wf_intake_free(s);
  wf_outlet_drop(s);
  wf_hangup_close(s);
  wf_gate_leave(s);
  stop_timers(s);
  wf_obj_unref(&s->h.obj);
}

double wf_stream_expiry(const wf_stream *s) {
  if (s->timeout_ns == WF_NEVER) return HUGE_VAL;
  return (double)wf_clock_now(&s->h.obj.vm->clock) + (double)s->timeout_ns;
}

bool wf_stream_is_late(const wf_stream *s) {
  return s->deadline_ns != WF_NEVER && wf_clock_now(&s->h.obj.vm->clock) >= s->deadline_ns;
}

// The timer of the queue fires at `when` or before.
static bool arm(wf_stream *s, int direction, uint64_t when) {
  wf_timers *timers = &s->h.obj.vm->timers;
  wf_timer *timer = &s->timers[direction];
  if (when == WF_NEVER || (wf_timer_armed(timer) && timer->when <= when)) return true;
  (void)wf_timer_stop(timers, timer);
  return wf_timer_arm(timers, timer, when);
}

bool wf_stream_wait(wf_stream *s, int direction, wf_waiter *waiter, double expiry) {
  uint64_t when = s->deadline_ns;
  if (expiry < (double)when) when = (uint64_t)expiry;
  if (WF_UNLIKELY(when != WF_NEVER) && !arm(s, direction, when)) return false;
  waiter->op = direction == WF_STREAM_READ ? WF_OP_RECV : WF_OP_SEND;
  wf_list_push(direction == WF_STREAM_READ ? &s->readers : &s->writers, &waiter->link);
  wf_handle_engage(&s->h);
  return true;
}

bool wf_stream_set_deadline(wf_stream *s, uint64_t when_ns) {
  bool fine = true;
  s->deadline_ns = when_ns;
  if (!wf_list_empty(&s->readers)) fine = arm(s, WF_STREAM_READ, when_ns);
  if (!wf_list_empty(&s->writers)) fine = arm(s, WF_STREAM_WRITE, when_ns) && fine;
  return fine;
}

void wf_stream_settle(wf_stream *s) {
  wf_timers *timers = &s->h.obj.vm->timers;
  bool reads = !wf_list_empty(&s->readers), writes = !wf_list_empty(&s->writers);
  if (!reads) (void)wf_timer_stop(timers, &s->timers[WF_STREAM_READ]);
  if (!writes) (void)wf_timer_stop(timers, &s->timers[WF_STREAM_WRITE]);
  if (!reads && !writes) wf_handle_rest(&s->h);
}
