// SPDX-License-Identifier: MIT
#include "task/obj.h"

#include <lauxlib.h>
#include <string.h>

#include "sched/runtime.h"
#include "task/core.h"
#include "task/cycles.h"
#include "task/site.h"

const char wf_tag_chan, wf_tag_buffer, wf_tag_context, wf_tag_queue, wf_tag_handle, wf_tag_after;

wf_obj *wf_obj_new(wf_vm *vm, lua_State *L, const wf_kind *kind, const void *tag) {
  if (vm->orphaned) wf_site_raise(L, "weft has been closed");
  wf_proxy *proxy = lua_newuserdata(L, sizeof *proxy);
  *proxy = (wf_proxy){.tag = tag};
  wf_vm_push_ref(vm, L, WF_REF_PROXY_MT);
  lua_setmetatable(L, -2);
  wf_obj *obj = wf_mem_new(&vm->rt->mem, kind->size);
  if (obj == NULL) wf_site_raise(L, "not enough memory");
  obj->kind = kind;
  obj->vm = vm;
  obj->refs = 1;
  vm->objects++;
  proxy->obj = obj;
  return obj;
}

static void leave_core(wf_core *core) {
  bool last = wf_core_is_alone(core);
  wf_core_unref(core);
  if (!last) wf_cycles_note();
}

void wf_obj_destroy(wf_obj *obj) {
  wf_vm *vm = obj->vm;
  if (obj->kind->destroy != NULL) obj->kind->destroy(obj);
  if (obj->core != NULL) leave_core(obj->core);
  if (obj->label != NULL) wf_mem_free(&vm->rt->mem, obj->label, strlen(obj->label) + 1);
  wf_mem_free(&vm->rt->mem, obj, obj->kind->size);
  vm->objects--;
  if (vm->orphaned && vm->objects == 0) vm->rt->hooks->last_object_gone(vm->rt);
}

wf_mem *wf_obj_mem(const wf_obj *obj) { return &obj->vm->rt->mem; }

void wf_obj_hold(wf_held *held, wf_obj *obj) {
  held->obj = obj;
  wf_obj_ref(obj);
  wf_list_push(&obj->vm->held, &held->link);
}

bool wf_obj_release(wf_held *held) {
  if (!wf_link_in_list(&held->link)) return false;
  wf_list_remove(&held->link);
  wf_obj_unref(held->obj);
  return true;
}

void wf_obj_release_all(wf_vm *vm) {
  vm->closing = true;
  while (!wf_list_empty(&vm->held)) {
    wf_obj *obj = wf_container_of(vm->held.next, wf_held, link)->obj;
    obj->kind->let_go(obj);
  }
}

wf_obj *wf_obj_meet(lua_State *L, int idx, const void *tag) {
  wf_proxy *proxy = lua_touserdata(L, idx);
  if (proxy == NULL || lua_objlen(L, idx) != sizeof *proxy || proxy->tag != tag) return NULL;
  wf_obj *obj = proxy->obj;
  if (obj != NULL) *wf_obj_recent(obj->vm, proxy) = proxy;
  return obj;
}

wf_obj *wf_obj_in_table(lua_State *L, int idx, const void *tag) {
  if (!lua_istable(L, idx)) return NULL;
  lua_rawgeti(L, idx, 0);
  wf_obj *obj = wf_obj_at(L, -1, tag);
  lua_pop(L, 1);
  return obj;
}

// A view is a table with the proxy, which may be a table itself, at 0.
static wf_obj *view_of(lua_State *L, int idx) {
  if (!lua_istable(L, idx)) return NULL;
  lua_rawgeti(L, idx, 0);
  wf_obj *obj = wf_obj_in_table(L, lua_gettop(L), &wf_tag_buffer);
  lua_pop(L, 1);
  return obj;
}

static bool is_view(const wf_vm *vm, lua_State *L, int idx) {
  if (lua_getmetatable(L, idx) == 0) return false;
  const void *type = lua_topointer(L, -1);
  lua_pop(L, 1);
  return type == vm->view_type || type == vm->send_view_type;
}

// The object behind the userdata at idx, when it is of a kind that scripts have.
static wf_obj *behind(lua_State *L, int idx) {
  static const void *const tags[] = {&wf_tag_chan,  &wf_tag_buffer, &wf_tag_context,
                                     &wf_tag_queue, &wf_tag_handle, &wf_tag_after};
  const wf_proxy *proxy = lua_touserdata(L, idx);
  if (!wf_obj_is_known(wf_vm_here, proxy) &&
      (lua_type(L, idx) != LUA_TUSERDATA || lua_objlen(L, idx) != sizeof *proxy)) {
    return NULL;
  }
  WF_ASSUME(proxy != NULL);
  for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
    if (proxy->tag == tags[i]) return proxy->obj;
  }
  return NULL;
}

wf_obj *wf_obj_any(lua_State *L, int idx) {
  if (!lua_istable(L, idx)) return behind(L, idx);
  lua_rawgeti(L, idx, 0);
  wf_obj *obj = behind(L, -1);
  // Other tables may have a channel there that they are not: timers.
  const wf_proxy *proxy = obj != NULL ? lua_touserdata(L, -1) : NULL;
  if (proxy != NULL && proxy->tag == &wf_tag_chan && !is_view(obj->vm, L, idx)) obj = NULL;
  lua_pop(L, 1);
  return obj != NULL ? obj : view_of(L, idx);
}

int wf_obj_gc(lua_State *L) {
  wf_proxy *proxy = lua_touserdata(L, 1);
  if (proxy == NULL || lua_objlen(L, 1) != sizeof *proxy || proxy->obj == NULL) return 0;
  wf_obj *obj = proxy->obj;
  proxy->obj = NULL;
  if (*wf_obj_recent(obj->vm, proxy) == proxy) *wf_obj_recent(obj->vm, proxy) = NULL;
  wf_obj_unref(obj);
  return 0;
}
