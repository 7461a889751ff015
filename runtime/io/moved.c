// SPDX-License-Identifier: MIT
#include "io/moved.h"

#include <fcntl.h>
#include <unistd.h>

#include "io/intake.h"
#include "io/stream.h"
#include "sched/runtime.h"
#include "task/site.h"

// Whoever takes the descriptor has the rest as well.
typedef struct moved {
  wf_core core;
  wf_atomic_u64 fd;  // 1 + the descriptor; 0: taken
  uv_handle_type type;
  const char *network;
  wf_addr peer;
  uint64_t timeout_ns;
  wf_intake_rest rest;
} moved;

static const char *refuse(const wf_obj *obj) {
  const wf_stream *s = (const wf_stream *)obj;
  if (!wf_stream_is_open(s)) return "closed connection";
  if (s->standard != 0 || s->h.uv == NULL) return "standard stream as connection";
  if (s->out != NULL || s->due || s->pushing || !wf_list_empty(&s->readers) ||
      !wf_list_empty(&s->writers)) {
    return "connection that is being read or written";
  }
  if (s->hangup != NULL) return "connection with a context";
  return NULL;
}

static void empty(wf_core *core) {
  moved *m = (moved *)core;
  uint64_t fd = wf_u64_load(&m->fd, WF_ACQUIRE);  // nobody else is there any more
  if (fd != 0) (void)close((int)fd - 1);
  wf_u64_store(&m->fd, 0, WF_RELAXED);
  wf_intake_drop(&core->mem, &m->rest);
}

// The first who comes gets it: acquires what the sender has put there.
static int take(moved *m) {
  uint64_t fd = wf_u64_load(&m->fd, WF_ACQUIRE);
  while (fd != 0 && !wf_u64_cas(&m->fd, &fd, 0, WF_ACQ_REL)) {
  }
  return (int)fd - 1;
}

static void push(wf_vm *vm, lua_State *L, wf_core *core) {
  moved *m = (moved *)core;
  wf_vm_push_ref(vm, L, WF_REF_RAW);
  lua_getfield(L, -1, "import");
  lua_pushliteral(L, "conn");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "wrap");
  wf_stream *s = wf_stream_new(vm, L, m->network);
  lua_call(L, 1, 1);
  lua_replace(L, -3);
  lua_pop(L, 1);
  int fd = take(m);
  if (fd >= 0 && wf_stream_open_fd(s, m->type, fd) != 0) {
    (void)close(fd);
    wf_site_raise(L, "not enough memory");
  }
  if (fd >= 0) {
    s->peer = m->peer;
    s->timeout_ns = m->timeout_ns;
    wf_intake_put(s, &m->rest);
    if (core->label != NULL) (void)wf_stream_set_name(s, core->label);
  }
  s->h.obj.core = core;
  wf_core_ref(core);
  s->h.obj.shared = true;
}

static const wf_core_kind kind = {.size = sizeof(moved), .empty = empty, .push = push};

static wf_core *make(const wf_obj *obj) {
  const wf_stream *s = (const wf_stream *)obj;
  moved *m = (moved *)wf_core_new(wf_obj_mem(obj), &kind);
  if (m == NULL) return NULL;
  int fd = fcntl(wf_stream_fd(s), F_DUPFD_CLOEXEC, 0);
  if (fd < 0) {
    wf_core_unref(&m->core);
    return NULL;
  }
  wf_u64_init(&m->fd, (uint64_t)fd + 1);
  m->type = s->h.uv->u.handle.type;
  m->network = s->network;
  m->peer = s->peer;
  m->timeout_ns = s->timeout_ns;
  return &m->core;
}

static void fill(wf_promotion *p, lua_State *L, wf_obj *obj, int self) {
  (void)p;
  (void)self;
  const wf_stream *s = (const wf_stream *)obj;
  if (s->name != NULL && !wf_core_set_label(obj->core, s->name)) {
    wf_site_raise(L, "not enough memory");
  }
}

// What comes back is another one, also in this VM.
static void commit(lua_State *L, wf_obj *obj, int self) {
  (void)self;
  wf_stream *s = (wf_stream *)obj;
  wf_intake_leave(s, &((moved *)obj->core)->rest);
  wf_core_forget(obj->vm, L, obj->core);
  wf_stream_close(s);
}

const wf_share wf_moved_share = {
    .refuse = refuse, .make = make, .fill = fill, .commit = commit, .moves = true};
