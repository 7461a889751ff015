// SPDX-License-Identifier: MIT
#include "io/watch.h"

#include <string.h>

#include "base/size.h"
#include "base/vec.h"
#include "io/handle.h"
#include "sched/runtime.h"

enum { MOST = WF_SIZE(1 << 20, 512) };  // bytes of what has happened and nobody has taken

// One path. What libuv has of it lives until it has closed it.
typedef struct place {
  uv_fs_event_t handle;
  wf_mem mem;
  wf_watch *watch;
  wf_link link;
  size_t size;
  char path[];
} place;

struct wf_watch {
  wf_event event;
  wf_link places;
  wf_vec happened;  // a letter, path, zero, name, zero
  bool too_much, closed;
  uint32_t site;  // wf_handle_site
};

static void handle_closed(uv_handle_t *handle) {
  place *p = (place *)(void *)handle;
  wf_mem mem = p->mem;
  wf_mem_free(&mem, p, p->size);
}

static void close_place(place *p) {
  if (wf_link_in_list(&p->link)) wf_list_remove(&p->link);
  p->watch = NULL;
  uv_close((uv_handle_t *)&p->handle, handle_closed);
}

static void close_all(wf_watch *w) {
  wf_link *link;
  w->closed = true;
  while ((link = wf_list_pop(&w->places)) != NULL) close_place(wf_container_of(link, place, link));
  wf_vec_free(wf_obj_mem(&w->event.obj), &w->happened);
}

void wf_watch_close(wf_watch *w) {
  if (w->closed) return;
  close_all(w);
  wf_event_close(&w->event);
  wf_event_release(&w->event);
}

void wf_watch_collect(wf_watch *w) {
  if (w->closed) return;
  // The first path is the one that was asked for.
  const wf_link *first = w->places.next;
  const char *path = first != &w->places ? wf_container_of(first, place, link)->path : "";
  wf_handle_unclosed(&w->event.obj, path, w->site);
  wf_watch_close(w);
}

static void destroy(wf_obj *obj) { close_all((wf_watch *)obj); }

static void let_go(wf_obj *obj) {
  close_all((wf_watch *)obj);
  wf_event_release(&((wf_watch *)obj)->event);
}

static const wf_kind kind = {.name = "watch",
                             .size = sizeof(wf_watch),
                             .destroy = destroy,
                             .let_go = let_go,
                             .visit = wf_event_visit};
static const char tag_watch;

wf_watch *wf_watch_at(lua_State *L, int idx) { return (wf_watch *)wf_obj_at(L, idx, &tag_watch); }

wf_watch *wf_watch_new(wf_vm *vm, lua_State *L) {
  wf_watch *w = (wf_watch *)wf_obj_new(vm, L, &kind, &tag_watch);
  wf_event_init(&w->event);
  wf_list_init(&w->places);
  w->site = wf_handle_site(vm, L);
  wf_event_hold(&w->event);
  return w;
}

// Whether it lies there already, since it was taken last.
static bool is_known(const wf_watch *w, const char *what, size_t size) {
  const char *at = (const char *)w->happened.data, *end = at + w->happened.size;
  while (at < end) {
    size_t its = strlen(at) + 1;
    its += strlen(at + its) + 1;
    if (its == size && memcmp(at, what, size) == 0) return true;
    at += its;
  }
  return false;
}

static void note(wf_watch *w, char letter, const char *path, const char *name) {
  size_t before = w->happened.size, a = strlen(path) + 1, b = strlen(name) + 1;
  size_t size = 1 + a + b;
  char *entry = NULL;
  if (before + size <= MOST) entry = wf_vec_add(wf_obj_mem(&w->event.obj), &w->happened, size);
  if (entry == NULL) {
    w->too_much = true;
    return;
  }
  entry[0] = letter;
  memcpy(entry + 1, path, a);
  memcpy(entry + 1 + a, name, b);
  w->happened.size = before;
  if (!is_known(w, entry, size)) w->happened.size = before + size;
}

static void has_happened(uv_fs_event_t *handle, const char *name, int events, int status) {
  const place *p = (place *)(void *)handle;
  wf_watch *w = p->watch;
  if (w == NULL || status != 0) return;
  note(w, (events & UV_RENAME) != 0 ? 'r' : 'c', p->path, name != NULL ? name : "");
  wf_event_wake(&w->event);
}

int wf_watch_add(wf_watch *w, const char *path) {
  wf_vm *vm = w->event.obj.vm;
  size_t length = strlen(path) + 1;
  if (w->closed) return UV_EBADF;
  place *p = wf_mem_new(&vm->rt->mem, sizeof *p + length);
  if (p == NULL) return UV_ENOMEM;
  p->mem = vm->rt->mem;
  p->size = sizeof *p + length;
  memcpy(p->path, path, length);
  (void)uv_fs_event_init(wf_handle_loop(vm), &p->handle);  // cannot fail
  int rc = uv_fs_event_start(&p->handle, has_happened, path, 0);
  if (rc != 0) {
    close_place(p);
    return rc;
  }
  p->watch = w;
  wf_list_push(&w->places, &p->link);
  return 0;
}

bool wf_watch_is_due(const wf_watch *w) {
  return w->closed || w->too_much || w->happened.size > 0;
}

bool wf_watch_take(lua_State *L, wf_watch *w) {
  if (w->closed) return false;
  lua_newtable(L);
  const char *at = (const char *)w->happened.data, *end = at + w->happened.size;
  for (int i = 1; at < end; i++) {
    lua_createtable(L, 3, 0);
    lua_pushstring(L, at + 1);
    lua_rawseti(L, -2, 1);
    const char *name = at + strlen(at) + 1;
    lua_pushstring(L, name);
    lua_rawseti(L, -2, 2);
    lua_pushstring(L, at[0] == 'r' ? "rename" : "change");
    lua_rawseti(L, -2, 3);
    lua_rawseti(L, -2, i);
    at = name + strlen(name) + 1;
  }
  lua_pushboolean(L, w->too_much);
  w->happened.size = 0;
  w->too_much = false;
  return true;
}
