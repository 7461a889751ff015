// SPDX-License-Identifier: MIT
#include "io/hangup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/vec.h"
#include "sched/runtime.h"
#include "task/mark.h"
#include "task/site.h"

typedef struct wf_hangup {
  wf_handle h;
  int fd;
  wf_stream *stream;  // NULL: it has let go of this
  wf_vec contexts;    // wf_ctx *, counted
} wf_hangup;

static size_t count(const wf_hangup *u) { return u->contexts.size / sizeof(wf_ctx *); }
static wf_ctx **at(const wf_hangup *u, size_t i) {
  return (wf_ctx **)(void *)u->contexts.data + i;
}

static void shut(wf_hangup *u) {
  wf_handle_close(&u->h);
  if (u->fd >= 0) (void)close(u->fd);
  u->fd = -1;
}

static void destroy(wf_obj *obj) {
  wf_hangup *u = (wf_hangup *)obj;
  shut(u);
  for (size_t i = 0; i < count(u); i++) wf_obj_unref(&(*at(u, i))->obj);
  wf_vec_free(wf_obj_mem(obj), &u->contexts);
}

static void visit(wf_obj *obj, wf_mark *m) {
  const wf_hangup *u = (wf_hangup *)obj;
  for (size_t i = 0; i < count(u); i++) wf_mark_obj(m, &(*at(u, i))->obj);
}

static void let_go(wf_obj *obj) { wf_handle_rest((wf_handle *)obj); }

static const wf_kind kind = {.name = "hang-up",
                             .size = sizeof(wf_hangup),
                             .destroy = destroy,
                             .let_go = let_go,
                             .visit = visit};

static void end_all(wf_hangup *u) {
  lua_State *L = u->h.obj.vm->L;
  wf_handle_happened(u->h.obj.vm);
  wf_obj_ref(&u->h.obj);
  shut(u);
  while (count(u) > 0) {
    wf_ctx *ctx = *at(u, count(u) - 1);
    u->contexts.size -= sizeof ctx;
    wf_ctx_end(L, ctx, WF_CTX_CANCELED);
    wf_obj_unref(&ctx->obj);
  }
  wf_handle_rest(&u->h);
  if (u->stream != NULL) u->stream->hangup = NULL;
  if (u->stream != NULL) wf_obj_unref(&u->h.obj);
  u->stream = NULL;
  wf_obj_unref(&u->h.obj);
}

void wf_hangup_close(wf_stream *s) {
  wf_hangup *u = s->hangup;
  if (u == NULL) return;
  // The Lua state may be going: whoever waited is not there any more.
  if (!s->h.obj.vm->closing && !s->h.obj.vm->orphaned) {
    end_all(u);
    return;
  }
  u->stream = NULL;
  s->hangup = NULL;
  shut(u);
  wf_handle_rest(&u->h);
  wf_obj_unref(&u->h.obj);
}

static void on_hangup(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  end_all((wf_hangup *)wf_uv_owner(poll));
}

static int start(wf_hangup *u, const wf_stream *s) {
  u->fd = fcntl(wf_stream_fd(s), F_DUPFD_CLOEXEC, 0);
  if (u->fd < 0) return uv_translate_sys_error(errno);
  wf_uv *uv = wf_uv_new(u->h.obj.vm, UV_POLL);
  if (uv == NULL) return UV_ENOMEM;
  int rc = uv_poll_init(wf_handle_loop(u->h.obj.vm), &uv->u.poll, u->fd);
  if (rc != 0) {
    wf_uv_free(uv);
    return rc;
  }
  wf_handle_own(&u->h, uv);
  return uv_poll_start(&uv->u.poll, UV_DISCONNECT, on_hangup);
}

// Those that nobody else has, or that have ended, make room.
static void prune(wf_hangup *u) {
  size_t kept = 0;
  for (size_t i = 0; i < count(u); i++) {
    wf_ctx *ctx = *at(u, i);
    if (ctx->state == WF_CTX_LIVE && ctx->obj.refs > 1) {
      *at(u, kept++) = ctx;
    } else {
      wf_obj_unref(&ctx->obj);
    }
  }
  u->contexts.size = kept * sizeof(wf_ctx *);
}

int wf_hangup_add(lua_State *L, wf_stream *s, wf_ctx *ctx) {
  wf_vm *vm = s->h.obj.vm;
  if (s->hangup == NULL) {
    wf_hangup *u = (wf_hangup *)wf_obj_new(vm, L, &kind, &wf_tag_handle);
    u->fd = -1;
    int rc = start(u, s);
    if (rc != 0) {
      shut(u);
      return rc;
    }
    u->stream = s;
    s->hangup = u;
    wf_obj_ref(&u->h.obj);
    wf_handle_engage(&u->h);
  }
  wf_hangup *u = s->hangup;
  prune(u);
  wf_ctx **place = wf_vec_add(wf_obj_mem(&u->h.obj), &u->contexts, sizeof(wf_ctx *));
  if (place == NULL) wf_site_raise(L, "not enough memory");
  *place = ctx;
  wf_obj_ref(&ctx->obj);
  return 0;
}
