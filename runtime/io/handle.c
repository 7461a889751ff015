// SPDX-License-Identifier: MIT
#include "io/handle.h"

#include <ctype.h>
#include <stdio.h>

#include "sched/runtime.h"
#include "task/park.h"
#include "task/remote.h"
#include "task/site.h"

wf_uv *wf_uv_new(wf_vm *vm, uv_handle_type type) {
  size_t size = offsetof(wf_uv, u) + uv_handle_size(type);
  wf_uv *uv = wf_mem_new(&vm->rt->mem, size);
  if (uv == NULL) return NULL;
  uv->mem = vm->rt->mem;
  uv->size = size;
  return uv;
}

void wf_uv_free(wf_uv *uv) {
  wf_mem mem = uv->mem;
  wf_mem_free(&mem, uv, uv->size);
}

static void closed(uv_handle_t *handle) { wf_uv_free(handle->data); }

void wf_uv_close(wf_uv *uv) {
  uv->owner = NULL;
  uv_close(&uv->u.handle, closed);
}

uv_loop_t *wf_handle_loop(const wf_vm *vm) { return &vm->worker->loop.uv; }

uint32_t wf_handle_site(wf_vm *vm, lua_State *L) {
  return vm->rt->warn_unclosed ? wf_site_here(vm, L) : 0;
}

wf_handle *wf_handle_new(wf_vm *vm, lua_State *L, const wf_kind *kind) {
  uint32_t site = wf_handle_site(vm, L);  // first: it may raise, and the object is not one yet
  wf_handle *h = (wf_handle *)wf_obj_new(vm, L, kind, &wf_tag_handle);
  h->site = site;
  return h;
}

wf_handle *wf_handle_at(lua_State *L, int idx, const wf_kind *kind) {
  wf_obj *obj = wf_obj_at(L, idx, &wf_tag_handle);
  return obj != NULL && obj->kind == kind ? (wf_handle *)obj : NULL;
}

void wf_handle_own(wf_handle *h, wf_uv *uv) {
  WF_ASSERT(h->uv == NULL);
  h->uv = uv;
  uv->owner = h;
  uv->u.handle.data = uv;
  uv_unref(&uv->u.handle);
}

void wf_handle_close(wf_handle *h) {
  if (h->uv == NULL) return;
  wf_uv_close(h->uv);
  h->uv = NULL;
}

void wf_handle_unclosed(const wf_obj *obj, const char *where, uint32_t site) {
  const wf_vm *vm = obj->vm;
  if (!vm->rt->warn_unclosed || vm->closing || vm->orphaned) return;
  char what[256], line[512];
  if (where == NULL) {
    obj->kind->describe(obj, NULL, what, sizeof what);
  } else {
    (void)snprintf(what, sizeof what, "%s %s", obj->kind->name, where);
  }
  (void)snprintf(line, sizeof line, "weft: %s, opened at %s, was collected without being closed\n",
                 what, wf_site_text(vm, site));
  vm->rt->log(vm->rt->log_ud, line);
}

void wf_handle_collect(wf_handle *h) {
  if (h->uv == NULL) return;
  wf_handle_unclosed(&h->obj, NULL, h->site);
  wf_handle_close(h);
}

void wf_handle_engage(wf_handle *h) {
  if (h->uv != NULL) uv_ref(&h->uv->u.handle);
  if (!wf_link_in_list(&h->held.link)) wf_obj_hold(&h->held, &h->obj);
}

void wf_handle_rest(wf_handle *h) {
  if (h->uv != NULL) uv_unref(&h->uv->u.handle);
  (void)wf_obj_release(&h->held);
}

bool wf_handle_wake_one(wf_waiter *waiter, int code) {
  wf_task *task = waiter->task;
  if (!wf_remote_win(task)) {  // its context has ended on another core
    wf_list_remove(&waiter->link);
    return false;
  }
  wf_handle_happened(task->vm);
  wf_claim(task);
  lua_pushboolean(task->at, code == 0);
  if (code != 0) lua_pushinteger(task->at, code);
  wf_ready(task, code == 0 ? 1 : 2);
  return true;
}

bool wf_handle_wake(wf_link *queue, int code) {
  return wf_handle_wake_one(wf_container_of(queue->next, wf_waiter, link), code);
}

void wf_handle_wake_all(wf_link *queue, int code) {
  while (!wf_list_empty(queue)) (void)wf_handle_wake(queue, code);
}

const char *wf_handle_words(int code, char *buf, size_t size) {
  (void)uv_strerror_r(code, buf, size);
  return buf;
}
