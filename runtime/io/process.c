// SPDX-License-Identifier: MIT
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "io/child.h"
#include "sched/runtime.h"
#include "task/mark.h"
#include "task/site.h"

// What libuv has of it, until it has closed it.
struct wf_process_watcher {
  union {
    uv_handle_t handle;
    uv_process_t process;
    uv_poll_t poll;  // of child.fd
  } u;
  wf_child child;  // its descriptor is -1 where libuv has the child
  wf_mem mem;
  wf_process *process;
};

static void closed(uv_handle_t *handle) {
  wf_process_watcher *w = (wf_process_watcher *)(void *)handle;
  wf_mem mem = w->mem;
  if (w->child.fd >= 0) (void)close(w->child.fd);
  wf_mem_free(&mem, w, sizeof *w);
}

static void close_watcher(wf_process *p) {
  wf_process_watcher *w = p->watcher;
  if (w == NULL) return;
  p->watcher = NULL;
  w->process = NULL;
  uv_close(&w->u.handle, closed);
}

static void let_go(wf_obj *obj) {
  wf_process *p = (wf_process *)obj;
  close_watcher(p);
  wf_after_leave(&p->leash);
  wf_event_release(&p->event);
}

static void describe(const wf_obj *obj, const wf_task *task, char *buf, size_t size) {
  (void)task;
  (void)snprintf(buf, size, "process %d", ((const wf_process *)obj)->pid);
}

static const wf_kind kind = {.name = "process",
                             .size = sizeof(wf_process),
                             .let_go = let_go,
                             .visit = wf_event_visit,
                             .describe = describe};
static const char tag_process;

wf_process *wf_process_at(lua_State *L, int idx) {
  return (wf_process *)wf_obj_at(L, idx, &tag_process);
}

wf_process *wf_process_new(wf_vm *vm, lua_State *L) {
  wf_process *p = (wf_process *)wf_obj_new(vm, L, &kind, &tag_process);
  wf_event_init(&p->event);
  return p;
}

static void end(wf_process *p, int64_t code, int signal) {
  p->ended = true;
  p->code = code;
  p->signal = signal;
  close_watcher(p);
  wf_after_leave(&p->leash);
  wf_event_wake(&p->event);
  wf_event_release(&p->event);
}

static void has_ended(uv_process_t *handle, int64_t code, int signal) {
  const wf_process_watcher *w = (wf_process_watcher *)(void *)handle;
  if (w->process != NULL) end(w->process, code, signal);
}

static void can_be_reaped(uv_poll_t *handle, int status, int events) {
  const wf_process_watcher *w = (wf_process_watcher *)(void *)handle;
  int code, signal;
  (void)status, (void)events;
  if (w->process == NULL || !wf_child_reap(&w->child, &code, &signal)) return;
  end(w->process, code, signal);
}

static void kill_group(wf_after_call *leash) {
  (void)wf_process_kill(wf_container_of(leash, wf_process, leash), SIGKILL, true);
}

void wf_process_bind(wf_process *p, wf_ctx *ctx) {
  p->leash.fn = kill_group;
  if (!p->ended) wf_after_wait(&p->leash, ctx);
}

// The child's ends of what is piped: pipes, of which the streams get our ends. 0 or an error.
static int open_stdio(const wf_process_options *o, int child[3]) {
  for (int i = 0; i < 3; i++) {
    const wf_process_stdio *s = &o->stdio[i];
    int fds[2];
    if (s->pipe == NULL) {
      if (s->fd < 0) child[i] = open("/dev/null", O_RDWR | O_CLOEXEC);
      if (s->fd < 0 && child[i] < 0) return uv_translate_sys_error(errno);
      continue;
    }
    if (uv_pipe(fds, 0, 0) != 0) return uv_translate_sys_error(errno);
    child[i] = fds[i == 0 ? 0 : 1];
    int ours = fds[i == 0 ? 1 : 0];
    int rc = wf_stream_open_fd(s->pipe, UV_NAMED_PIPE, ours);
    if (rc == 0) continue;
    (void)close(ours);
    return rc;
  }
  return 0;
}

static int spawn(wf_process_watcher *w, uv_loop_t *loop, const wf_process_options *o,
                 const int fds[3]) {
  if (wf_child_possible()) {
    int rc = uv_translate_sys_error(wf_child_start(&w->child, o->args, o->env, o->cwd, fds));
    if (rc != 0) return rc;
    // Neither can fail: the descriptor is new, and can be polled.
    (void)uv_poll_init(loop, &w->u.poll, w->child.fd);
    return uv_poll_start(&w->u.poll, UV_READABLE, can_be_reaped);
  }
  uv_stdio_container_t stdio[3];
  for (int i = 0; i < 3; i++) {
    stdio[i].flags = UV_INHERIT_FD;
    stdio[i].data.fd = fds[i];
  }
  uv_process_options_t options = {.exit_cb = has_ended,
                                  .file = o->args[0],
                                  .args = o->args,
                                  .env = o->env,
                                  .cwd = o->cwd,
                                  .flags = UV_PROCESS_DETACHED,
                                  .stdio_count = 3,
                                  .stdio = stdio};
  int rc = uv_spawn(loop, &w->u.process, &options);
  w->child.pid = w->u.process.pid;
  return rc;
}

static int watch(wf_process *p, const wf_process_options *o, const int fds[3]) {
  wf_mem *mem = wf_obj_mem(&p->event.obj);
  wf_process_watcher *w = wf_mem_new(mem, sizeof *w);
  if (w == NULL) return UV_ENOMEM;
  w->mem = *mem;
  w->child.fd = -1;
  int rc = spawn(w, wf_handle_loop(p->event.obj.vm), o, fds);
  if (rc != 0) {
    if (wf_child_possible()) {
      wf_mem_free(mem, w, sizeof *w);
    } else {
      uv_close(&w->u.handle, closed);
    }
    return rc;
  }
  w->process = p;
  p->watcher = w;
  p->pid = w->child.pid;
  wf_event_hold(&p->event);
  return 0;
}

// Who reads or writes there does not expect to be told to come again later.
static void make_blocking(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) != 0) (void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

int wf_process_start(wf_process *p, const wf_process_options *o) {
  int child[3] = {-1, -1, -1}, fds[3];
  int rc = open_stdio(o, child);
  for (int i = 0; i < 3; i++) {
    fds[i] = child[i] >= 0 ? child[i] : o->stdio[i].fd;
    if (child[i] < 0 && rc == 0) make_blocking(fds[i]);
  }
  if (rc == 0) rc = watch(p, o, fds);
  for (int i = 0; i < 3; i++) {
    if (child[i] >= 0) (void)close(child[i]);
    if (rc != 0 && o->stdio[i].pipe != NULL) wf_stream_close(o->stdio[i].pipe);
  }
  return rc;
}

int wf_process_kill(const wf_process *p, int signal, bool group) {
  // Once it has been waited for, its number may be somebody else's.
  if (p->ended) return UV_ESRCH;
  return kill(group ? -p->pid : p->pid, signal) == 0 ? 0 : uv_translate_sys_error(errno);
}
