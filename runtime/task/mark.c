// SPDX-License-Identifier: MIT
// Looking into a coroutine pushes one value at a time onto its own stack and takes it off again.
// That allocates nothing: the call in which a coroutine waits has left at least one slot free
// (park: WF_WAKE_SLOTS; coroutine.yield: its arguments, which have gone to the resumer).
#include "task/mark.h"

#include <lauxlib.h>

#include "sched/runtime.h"
#include "task/obj.h"
#include "task/task.h"

enum { FIRST_SLOTS = 1024 };

static uintptr_t *slot_of(uintptr_t *seen, size_t slots, uintptr_t key) {
  size_t i = (size_t)(((uint64_t)key * 0x9e3779b97f4a7c15U) >> 20);
  while (seen[i & (slots - 1)] != 0 && seen[i & (slots - 1)] != key) i++;
  return &seen[i & (slots - 1)];
}

static bool has(const wf_mark *m, uintptr_t key) {
  return *slot_of(m->seen, m->slots, key) == key;
}

static void grow(wf_mark *m) {
  size_t slots = m->slots != 0 ? 2 * m->slots : FIRST_SLOTS;
  uintptr_t *seen = wf_mem_new(&m->vm->rt->mem, slots * sizeof *seen);
  if (seen == NULL) luaL_error(m->L, "not enough memory");
  for (size_t i = 0; i < m->slots; i++) {
    if (m->seen[i] != 0) *slot_of(seen, slots, m->seen[i]) = m->seen[i];
  }
  wf_mark_free(m);
  m->seen = seen;
  m->slots = slots;
}

// False when it was there.
static bool add(wf_mark *m, uintptr_t key) {
  uintptr_t *slot = slot_of(m->seen, m->slots, key);
  if (*slot == key) return false;
  *slot = key;
  if (++m->nseen > m->slots / 2) grow(m);
  return true;
}

// What a value is marked by; 0 for one that leads nowhere. An empty userdata may end where the
// next object begins, hence the odd addresses. One cdata stands for all: they lead to nothing but
// their common metatable.
static uintptr_t key_of(lua_State *L, int idx) {
  switch (lua_type(L, idx)) {
    case LUA_TTABLE:
    case LUA_TFUNCTION:
    case LUA_TTHREAD: return (uintptr_t)lua_topointer(L, idx);
    case LUA_TUSERDATA: return (uintptr_t)lua_topointer(L, idx) | 1;
    case LUA_TNIL:
    case LUA_TBOOLEAN:
    case LUA_TNUMBER:
    case LUA_TSTRING:
    case LUA_TLIGHTUSERDATA: return 0;
    default: return 1;
  }
}

void wf_mark_start(wf_mark *m, wf_vm *vm, lua_State *L) {
  *m = (wf_mark){.vm = vm, .L = L};
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_newtable(L);
  m->todo = lua_gettop(L);
  grow(m);
  // These are never looked into as the tables that they are.
  (void)add(m, key_of(L, m->todo));
  (void)add(m, key_of(L, LUA_REGISTRYINDEX));
  wf_vm_push_ref(vm, L, WF_REF_ANCHORS);
  (void)add(m, key_of(L, -1));
  lua_pop(L, 1);
}

void wf_mark_free(wf_mark *m) {
  if (m->seen != NULL) wf_mem_free(&m->vm->rt->mem, m->seen, m->slots * sizeof *m->seen);
  m->seen = NULL;
}

void wf_mark_top(wf_mark *m, lua_State *L) {
  uintptr_t key = key_of(L, -1);
  if (key == 0 || has(m, key)) {
    lua_pop(L, 1);
    return;
  }
  lua_xmove(L, m->L, 1);  // before anything can raise
  (void)add(m, key);
  lua_rawseti(m->L, m->todo, ++m->ntodo);
}

static void mark_at(wf_mark *m, lua_State *L, int idx) {
  if (key_of(L, idx) == 0) return;
  lua_pushvalue(L, idx);
  wf_mark_top(m, L);
}

void wf_mark_registry(wf_mark *m) {
  lua_State *L = m->L;
  // The last error's path serves reports as text.
  int path = m->vm->refs[WF_REF_ERROR_PATH];
  for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX) != 0;) {
    if (lua_type(L, -2) == LUA_TNUMBER && lua_tonumber(L, -2) == path) {
      lua_pop(L, 1);
      continue;
    }
    wf_mark_top(m, L);
    mark_at(m, L, -1);
  }
}

void wf_mark_type_metatables(wf_mark *m) {
  lua_State *L = m->L;
  int top = lua_gettop(L);
  lua_pushnil(L);
  lua_pushboolean(L, 1);
  lua_pushnumber(L, 1);
  lua_pushliteral(L, "");
  lua_pushlightuserdata(L, m);
  lua_pushcfunction(L, wf_obj_gc);
  (void)lua_pushthread(L);
  for (int i = top + 1, last = lua_gettop(L); i <= last; i++) {
    if (lua_getmetatable(L, i) != 0) wf_mark_top(m, L);
  }
  lua_settop(L, top);
}

static void look_into_metatable(wf_mark *m, int idx) {
  if (lua_getmetatable(m->L, idx) != 0) wf_mark_top(m, m->L);
}

static void look_into_environment(wf_mark *m, int idx) {
  lua_getfenv(m->L, idx);
  wf_mark_top(m, m->L);
}

static void look_into_table(wf_mark *m, int t) {
  lua_State *L = m->L;
  look_into_metatable(m, t);
  for (lua_pushnil(L); lua_next(L, t) != 0;) {
    wf_mark_top(m, L);
    mark_at(m, L, -1);
  }
}

static void look_into_function(wf_mark *m, int fn) {
  look_into_environment(m, fn);
  for (int i = 1; lua_getupvalue(m->L, fn, i) != NULL; i++) wf_mark_top(m, m->L);
}

// The object behind the userdata on top of the stack when it is a proxy of weft's: their
// metatables have our finaliser.
static wf_obj *proxied(lua_State *L) {
  if (lua_objlen(L, -1) != sizeof(wf_proxy) || lua_getmetatable(L, -1) == 0) return NULL;
  lua_pushliteral(L, "__gc");
  lua_rawget(L, -2);
  bool ours = lua_tocfunction(L, -1) == wf_obj_gc;
  lua_pop(L, 2);
  return ours ? ((wf_proxy *)lua_touserdata(L, -1))->obj : NULL;
}

static void look_into_userdata(wf_mark *m, int ud) {
  look_into_metatable(m, ud);
  look_into_environment(m, ud);
  wf_obj *obj = proxied(m->L);
  if (obj != NULL) wf_mark_obj(m, obj);
}

// The function of a frame and all of its slots: named or not, in scope or not, varargs included.
static void look_into_frame(wf_mark *m, lua_State *co, lua_Debug *ar) {
  if (lua_getinfo(co, "fl", ar) == 0) return;
  // Where LuaJIT does not know the place in the code it does not find the varargs. Of a dead
  // coroutine nobody can get them, not by the debug library either.
  if (ar->currentline < 0 && !lua_iscfunction(co, -1) && lua_status(co) <= LUA_YIELD) {
    m->blind = true;
  }
  wf_mark_top(m, co);
  for (int i = 1; lua_getlocal(co, ar, i) != NULL; i++) wf_mark_top(m, co);
  for (int i = -1; lua_getlocal(co, ar, i) != NULL; i--) wf_mark_top(m, co);
}

static void look_into_thread(wf_mark *m, int idx) {
  lua_State *co = lua_tothread(m->L, idx);
  look_into_environment(m, idx);
  // On the state that we run on ourselves the topmost frame is our own.
  bool own = co == m->L;
  for (int i = own ? 0 : lua_gettop(co); i > 0; i--) mark_at(m, co, i);
  lua_Debug ar;
  for (int level = own ? 1 : 0; lua_getstack(co, level, &ar) != 0; level++) {
    look_into_frame(m, co, &ar);
  }
}

void wf_mark_thread(wf_mark *m, lua_State *co) {
  (void)lua_pushthread(co);
  wf_mark_top(m, co);
}

void wf_mark_task(wf_mark *m, wf_task *task) {
  if (!add(m, (uintptr_t)task)) return;
  wf_task_push_coroutine(m->L, task);
  wf_mark_top(m, m->L);
  wf_mark_anchor(m, task->defers);
  if (task->own != NULL) wf_mark_obj(m, task->own);
}

bool wf_mark_has_task(const wf_mark *m, const wf_task *task) { return has(m, (uintptr_t)task); }

bool wf_mark_part(wf_mark *m, wf_obj *obj) { return add(m, (uintptr_t)obj); }

void wf_mark_obj(wf_mark *m, wf_obj *obj) {
  if (wf_mark_part(m, obj) && obj->kind->visit != NULL) obj->kind->visit(obj, m);
}

void wf_mark_anchor(wf_mark *m, int anchor) {
  if (anchor == LUA_NOREF) return;
  wf_vm_push_anchor(m->vm, m->L, anchor);
  wf_mark_top(m, m->L);
}

void wf_mark_run(wf_mark *m) {
  lua_State *L = m->L;
  while (m->ntodo > 0) {
    lua_rawgeti(L, m->todo, m->ntodo--);
    int idx = lua_gettop(L);
    switch (lua_type(L, idx)) {
      case LUA_TTABLE: look_into_table(m, idx); break;
      case LUA_TFUNCTION: look_into_function(m, idx); break;
      case LUA_TUSERDATA: look_into_userdata(m, idx); break;
      case LUA_TTHREAD: look_into_thread(m, idx); break;
      default: look_into_metatable(m, idx);
    }
    lua_settop(L, idx - 1);
  }
}
