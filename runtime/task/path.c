// SPDX-License-Identifier: MIT
// What to say of a value that cannot cross: the way to it, and what it is. Symbols: wf_pack
#include <ctype.h>
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "task/int64.h"
#include "task/pack.h"
#include "task/site.h"

// Pushes the name by which the innermost script function on the stack knows the value at idx, in a
// local variable or an upvalue, or under which it is a global. False: there is none.
static bool push_name_of(lua_State *L, int idx) {
  lua_Debug ar;
  const char *name;
  int level = 0;
  do {
    if (lua_getstack(L, level++, &ar) == 0 || lua_getinfo(L, "Slf", &ar) == 0) return false;
    if (ar.currentline > 0 && !wf_site_is_own(&ar)) break;
    lua_pop(L, 1);
  } while (true);
  for (int i = 1; (name = lua_getlocal(L, &ar, i)) != NULL; i++) {
    bool same = lua_rawequal(L, -1, idx) != 0 && name[0] != '(';
    lua_pop(L, 1);
    if (!same) continue;
    lua_pushstring(L, name);
    return true;
  }
  for (int i = 1; (name = lua_getupvalue(L, -1, i)) != NULL; i++) {
    bool same = lua_rawequal(L, -1, idx) != 0 && name[0] != '\0';
    lua_pop(L, 1);
    if (!same) continue;
    lua_pushstring(L, name);
    return true;
  }
  lua_getfenv(L, -1);
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !lua_rawequal(L, -1, idx)) continue;
    lua_pop(L, 1);
    return true;
  }
  return false;
}

// "function at file:line"
static void push_place_of(lua_State *L, int idx) {
  lua_Debug ar;
  lua_pushvalue(L, idx);
  (void)lua_getinfo(L, ">S", &ar);
  if (ar.linedefined > 0) {
    lua_pushfstring(L, "function at %s:%d", ar.short_src, ar.linedefined);
  } else {
    lua_pushfstring(L, "the chunk %s", ar.short_src);
  }
}

static void push_root(wf_packer *p) {
  lua_State *L = p->L;
  int root = p->first + p->root;
  bool is_call = wf_pack_is_call(p);
  if (p->what != NULL) {
    lua_pushfstring(L, p->deep ? "%s, deep inside" : "%s", p->what);
  } else if (p->deep) {
    lua_pushstring(L, is_call ? "something deep inside" : "value, deep inside");
  } else if (is_call && p->root == 0) {
    int top = lua_gettop(L);
    if (push_name_of(L, root)) {
      lua_replace(L, top + 1);
    } else {
      lua_settop(L, top);
      push_place_of(L, root);
    }
    lua_settop(L, top + 1);
  } else if (is_call) {
    lua_pushfstring(L, "arg %d", p->root);
  } else if (p->as == WF_PACK_RESULTS) {
    lua_pushfstring(L, "result %d", p->root + 1);
  } else if (p->n == 1) {
    lua_pushliteral(L, "value");
  } else {
    lua_pushfstring(L, "value %d", p->root + 1);
  }
}

static bool is_identifier(const char *s, size_t size) {
  if (size == 0 || isdigit((unsigned char)s[0])) return false;
  for (size_t i = 0; i < size; i++) {
    if (!isalnum((unsigned char)s[i]) && s[i] != '_') return false;
  }
  return true;
}

enum { KEY_BYTES = 60 };  // of a key that is shown

static void push_quoted(lua_State *L, const char *s, size_t size) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "[\"");
  for (size_t i = 0; i < size && i < KEY_BYTES; i++) {
    char escaped[8];
    (void)snprintf(escaped, sizeof escaped, "\\%03u", (unsigned)(uint8_t)s[i]);
    if (iscntrl((unsigned char)s[i])) {
      luaL_addstring(&b, escaped);
    } else {
      luaL_addchar(&b, s[i]);
    }
  }
  luaL_addstring(&b, size > KEY_BYTES ? "...\"]" : "\"]");
  luaL_pushresult(&b);
}

// Pushes how the key at idx is written after its table.
static void push_key(lua_State *L, int idx) {
  size_t size;
  const char *s;
  switch (lua_type(L, idx)) {
    case LUA_TSTRING:
      s = lua_tolstring(L, idx, &size);
      if (size <= KEY_BYTES && is_identifier(s, size)) {
        lua_pushfstring(L, ".%s", s);
      } else {
        push_quoted(L, s, size);
      }
      break;
    case LUA_TNUMBER: lua_pushfstring(L, "[%f]", lua_tonumber(L, idx)); break;
    case LUA_TBOOLEAN: lua_pushstring(L, lua_toboolean(L, idx) ? "[true]" : "[false]"); break;
    default: lua_pushfstring(L, "[%s]", luaL_typename(L, idx)); break;
  }
}

// Pushes "upvalue 'db'" or "global 'db'", for what is under way in the function of the frame.
static void push_inner(lua_State *L, const wf_pack_frame *f) {
  if (f->global != UINT32_MAX && f->global > 0) {
    lua_rawgeti(L, f->slot + 2, (int)f->global);
    lua_pushfstring(L, "global '%s'", lua_tostring(L, -1));
    lua_remove(L, -2);
    return;
  }
  const char *name = lua_getupvalue(L, f->slot, (int)f->upvalue);
  if (name != NULL) lua_pop(L, 1);
  if (name != NULL && name[0] != '\0') {
    lua_pushfstring(L, "upvalue '%s'", name);
  } else {
    lua_pushfstring(L, "upvalue %d", (int)f->upvalue);
  }
}

// The first frame that is a function of weft's own, whose inside says nothing to who reads the
// error; p->depth when there is none.
static int first_own(const wf_packer *p) {
  int i = 0;
  for (; i < p->depth; i++) {
    lua_Debug ar;
    if (!p->frames[i].is_function) continue;
    lua_pushvalue(p->L, p->frames[i].slot);
    if (lua_getinfo(p->L, ">S", &ar) != 0 && wf_site_is_own(&ar)) break;
  }
  return i;
}

// Pushes the path as one string, through that many frames. It has two ends: keys are added to the
// head, and the function of an upvalue comes behind: `upvalue 'a'.b of worker`.
static void push_path(wf_packer *p, int depth) {
  lua_State *L = p->L;
  push_root(p);
  lua_pushliteral(L, "");
  int head = lua_gettop(L) - 1, tail = head + 1;
  for (int i = 0; i < depth; i++) {
    const wf_pack_frame *f = &p->frames[i];
    if (f->is_function) {
      push_inner(L, f);
      lua_pushliteral(L, " of ");
      lua_pushvalue(L, head);
      lua_pushvalue(L, tail);
      lua_concat(L, 3);
      lua_replace(L, tail);
      lua_replace(L, head);
    } else if (f->key_is_out && i == depth - 1) {
      lua_pushvalue(L, head);
      lua_pushliteral(L, ", as a key");
      lua_concat(L, 2);
      lua_replace(L, head);
    } else {
      lua_pushvalue(L, head);
      push_key(L, f->slot + 1);
      lua_concat(L, 2);
      lua_replace(L, head);
    }
  }
  lua_concat(L, 2);
}

// The name that luaL_newmetatable gave the metatable on top, pushed; false: none.
static bool push_type_name(lua_State *L) {
  lua_getfield(L, -1, "__name");
  if (lua_type(L, -1) == LUA_TSTRING) return true;
  lua_pop(L, 1);
  for (lua_pushnil(L); lua_next(L, LUA_REGISTRYINDEX) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !lua_rawequal(L, -1, -3)) continue;
    lua_pop(L, 1);
    return true;
  }
  return false;
}

// Pushes what the value at idx is.
static void push_kind(lua_State *L, int idx) {
  switch (lua_type(L, idx)) {
    case LUA_TTHREAD: lua_pushliteral(L, "coroutine"); return;
    case LUA_TLIGHTUSERDATA: lua_pushliteral(L, "light userdata"); return;
    case WF_TYPE_CDATA: lua_pushliteral(L, "cdata"); return;
    default: break;
  }
  if (lua_isuserdata(L, idx) && lua_getmetatable(L, idx) && push_type_name(L)) {
    lua_pushfstring(L, "%s (%s)", luaL_typename(L, idx), lua_tostring(L, -1));
  } else {
    lua_pushstring(L, luaL_typename(L, idx));
  }
}

static void push_effect(wf_packer *p, int function) {
  lua_State *L = p->L;
  lua_Debug ar;
  lua_pushvalue(L, function);
  (void)lua_getinfo(L, ">S", &ar);
  static const char *const does[] = {"assigns the %s", "stores into the %s", "changes the %s"};
  lua_pushfstring(L, does[p->effect.kind], p->variable);
  if (p->effect.line != 0) {
    lua_pushfstring(L, " at %s:%d", ar.short_src, (int)p->effect.line);
    lua_concat(L, 2);
  }
  lua_pushstring(L, p->effect.kind == WF_ASSIGNS
                        ? ": it has a copy of its own, nobody would see that"
                        : ": it has a copy of its own, nobody would see that (`local t = ...` "
                          "first, if that is meant)");
  lua_concat(L, 2);
}

void wf_pack_push_refusal(wf_packer *p) {
  lua_State *L = p->L;
  int value = lua_gettop(L);
  int depth = first_own(p);
  push_path(p, depth);
  lua_pushliteral(L, ": ");
  lua_pushnil(L);
  int at = lua_gettop(L);
  if (depth < p->depth) {
    lua_pushliteral(L, "function of this VM (as coroutine.wrap makes them)");
  } else if (p->why == wf_pack_has_effect) {
    push_effect(p, value);
  } else if (p->why != NULL) {
    lua_pushstring(L, p->why);
  } else {
    push_kind(L, value);
  }
  lua_replace(L, at);
  lua_settop(L, at);
  lua_concat(L, 3);
}
