// SPDX-License-Identifier: MIT
#include "task/promote.h"

#include <lauxlib.h>

#include "sched/runtime.h"
#include "task/cycles.h"
#include "task/guard.h"
#include "task/pack.h"

static size_t count(const wf_promotion *p) { return p->objs.size / sizeof(wf_obj *); }

static wf_obj *at(const wf_promotion *p, size_t i) { return ((wf_obj **)(void *)p->objs.data)[i]; }

bool wf_promotion_add(wf_promotion *p, wf_obj *obj) {
  wf_obj **place = wf_vec_add(&p->vm->rt->mem, &p->objs, sizeof *place);
  if (place == NULL) return false;
  p->objs.size -= sizeof *place;
  wf_core *core = obj->kind->share->make(obj);
  if (core == NULL) return false;
  obj->core = core;
  if (!wf_core_set_label(core, obj->label)) {
    obj->core = NULL;
    wf_core_unref(core);
    return false;
  }
  *place = obj;
  p->objs.size += sizeof *place;
  return true;
}

void wf_promotion_undo(wf_promotion *p, lua_State *L) {
  for (size_t i = 0; i < count(p); i++) wf_core_forget(p->vm, L, at(p, i)->core);
  // Cores may be in each other's messages.
  for (size_t i = 0; i < count(p); i++) {
    wf_obj *obj = at(p, i);
    wf_core *core = obj->core;
    obj->core = NULL;
    core->kind->empty(core);
    wf_core_unref(core);
  }
  wf_vec_free(&p->vm->rt->mem, &p->objs);
}

typedef struct job {
  wf_promotion *p;
  wf_obj *obj;
} job;

static int fill(lua_State *L, void *ud) {
  const job *j = ud;
  lua_settop(L, 2);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  j->obj->kind->share->fill(j->p, L, j->obj, 2);
  return 0;
}

static bool fill_all(wf_promotion *p, lua_State *L) {
  for (size_t i = 0; i < count(p); i++) {
    job j = {.p = p, .obj = at(p, i)};
    p->filled = j.obj;
    wf_core_push_known(p->vm, L, j.obj->core);
    if (wf_guard_at_rest(p->vm, L, fill, &j, 1, 0) != 0) return false;
  }
  return true;
}

static void commit_all(wf_promotion *p, lua_State *L) {
  for (size_t i = 0; i < count(p); i++) {
    wf_obj *obj = at(p, i);
    wf_core_push_known(p->vm, L, obj->core);
    obj->shared = true;
    obj->kind->share->commit(L, obj, lua_gettop(L));
    lua_pop(L, 1);
  }
  for (size_t i = 0; i < count(p); i++) wf_cycles_add(at(p, i)->core);
  wf_vec_free(&p->vm->rt->mem, &p->objs);
}

bool wf_promotion_finish(wf_promotion *p, lua_State *L, bool commits) {
  if (p->objs.size == 0) return true;
  wf_cycles_collect_if_due(false);
  wf_guard_hook hook = wf_guard_lift_hook(L);
  bool ok = fill_all(p, L);
  if (ok && commits) {
    commit_all(p, L);
  } else {
    wf_promotion_undo(p, L);
  }
  wf_guard_put_hook_back(L, &hook);
  return ok;
}

void wf_promotion_pack(wf_promotion *p, lua_State *L, int idx, const char *what, wf_message *m) {
  if (wf_pack_part(p, L, idx, what, m)) return;
  p->refused = true;
  const wf_obj *obj = p->filled;
  const char *why = lua_tostring(L, -1);
  if (obj->label != NULL) {
    lua_pushfstring(L, "%s '%s', %s", obj->kind->name, obj->label, why);
  } else {
    lua_pushfstring(L, "%s, %s", obj->kind->name, why);
  }
  lua_error(L);
}
