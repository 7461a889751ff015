// SPDX-License-Identifier: MIT
#include "task/trace.h"

#include <lauxlib.h>
#include <string.h>

#include "task/site.h"
#include "task/task.h"

#define OWN_LINE "\n\t[weft"
#define C_LINE "\n\t[C]:"
#define IN_FUNCTION ": in function '"

static bool starts(const char *line, const char *with) {
  return strncmp(line, with, strlen(with)) == 0;
}

static size_t line_length(const char *line) {
  const char *end = strchr(line + 1, '\n');
  return end != NULL ? (size_t)(end - line) : strlen(line);
}

// Adds the line of a C function that was called by weft's own Lua frames, the lines from `own` on,
// as what the script called: by the name of the outermost of them, where that has one. Returns
// the line after them.
static const char *add_call(luaL_Buffer *b, const char *line, const char *own) {
  const char *last = own;
  while (starts(own, OWN_LINE)) {
    last = own;
    own += line_length(own);
  }
  const char *name = strstr(last, IN_FUNCTION);
  if (name != NULL && name < own) {
    luaL_addstring(b, C_LINE);
    luaL_addlstring(b, name + 1, (size_t)(own - name) - 1);
  } else {
    luaL_addlstring(b, line, line_length(line));
  }
  return own;
}

// Replaces the traceback on top of the stack by one without weft's own lines.
static void drop_own_lines(lua_State *L) {
  const char *line = lua_tostring(L, -1);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  while (line != NULL && *line != '\0') {
    size_t n = line_length(line);
    const char *next = line + n;
    if (starts(line, C_LINE) && starts(next, OWN_LINE)) {
      next = add_call(&b, line, next);
    } else if (!starts(line, OWN_LINE)) {
      luaL_addlstring(&b, line, n);
    }
    line = next;
  }
  luaL_pushresult(&b);
  lua_remove(L, -2);
}

static void push_trace(lua_State *L, lua_State *of, int level) {
  luaL_traceback(L, of, NULL, level);
  drop_own_lines(L);
}

// LuaJIT does not know the line of the innermost frame of a coroutine that has died of an error
// raised by an instruction; the error's own text begins with it.
void wf_trace_push_failed(lua_State *L, lua_State *co, int err) {
  push_trace(L, co, 0);
  lua_Debug ar;
  if (lua_type(L, err) != LUA_TSTRING || lua_getstack(co, 0, &ar) == 0) return;
  if (lua_getinfo(co, "Sl", &ar) == 0 || ar.currentline > 0) return;
  const char *words = lua_tostring(L, err);
  size_t n = strlen(ar.short_src);
  if (strncmp(words, ar.short_src, n) != 0 || words[n] != ':') return;
  size_t digits = strspn(words + n + 1, "0123456789");
  lua_pushfstring(L, "\n\t%s:", ar.short_src);
  lua_pushlstring(L, words, n + 1 + digits);
  lua_pushfstring(L, "\n\t%s:", lua_tostring(L, -1));
  const char *trace = lua_tostring(L, -4), *frame = strstr(trace, lua_tostring(L, -3));
  if (frame != NULL) {
    lua_pushlstring(L, trace, (size_t)(frame - trace));
    lua_pushvalue(L, -2);
    lua_pushstring(L, frame + lua_objlen(L, -5));
    lua_concat(L, 3);
    lua_replace(L, -5);
  }
  lua_pop(L, 3);
}

// It is the first local of the Lua frame that called the C function in which `co` is suspended
// (lua/weft/internal/coroutine.lua).
lua_State *wf_trace_resumed_by(lua_State *co) {
  lua_Debug ar;
  if (lua_getstack(co, 1, &ar) == 0 || lua_getinfo(co, "S", &ar) == 0) return NULL;
  if (!wf_site_is_own(&ar) || lua_getlocal(co, &ar, 1) == NULL) return NULL;
  lua_State *inner = lua_tothread(co, -1);
  lua_pop(co, 1);
  return inner;
}

enum { MAX_NESTED = 32 };  // coroutines that a trace shows

void wf_trace_push_task(lua_State *L, wf_task *task) {
  lua_State *chain[MAX_NESTED];
  int n = 0;
  for (lua_State *co = task->co; co != NULL && n < MAX_NESTED; n++) {
    chain[n] = co;
    co = co != task->at ? wf_trace_resumed_by(co) : NULL;
  }
  luaL_checkstack(L, 2 * n + 4, NULL);
  int pushed = 0;
  while (n-- > 0) {
    push_trace(L, chain[n], 0);
    if (n > 0) lua_pushliteral(L, "\nresumed by, ");
    pushed += n > 0 ? 2 : 1;
  }
  lua_concat(L, pushed);
}

void wf_trace_push_running(wf_vm *vm, lua_State *L, int level) {
  wf_task *task = vm->current;
  push_trace(L, L, level);
  if (task == NULL || task->co == L) return;
  lua_pushliteral(L, "\nresumed by, ");
  push_trace(L, task->co, 0);
  lua_concat(L, 3);
}

// The path is a table: [1] the error, [2…] the coroutines that it killed, in that order, and the
// stacks, as text, that protected calls on the way have unwound.
static bool push_path(wf_vm *vm, lua_State *L) {
  if (vm->refs[WF_REF_ERROR_PATH] == LUA_NOREF) return false;
  wf_vm_push_ref(vm, L, WF_REF_ERROR_PATH);
  if (lua_istable(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

enum { MAX_PATH = 32 };

// Appends the value on top of the stack to the path of the error at `err`, or to a new path; pops
// it.
static void note(wf_vm *vm, lua_State *L, int err, bool goes_on) {
  if (goes_on && push_path(vm, L)) {
    lua_insert(L, -2);
    int n = (int)lua_objlen(L, -2);
    if (n <= MAX_PATH) {
      lua_rawseti(L, -2, n + 1);
    } else {
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return;
  }
  lua_createtable(L, 2, 0);
  lua_pushvalue(L, err);
  lua_rawseti(L, -2, 1);
  lua_insert(L, -2);
  lua_rawseti(L, -2, 2);
  wf_vm_set_ref(vm, L, WF_REF_ERROR_PATH);
}

// Whether the error at `err` is the one that was noted last, on its way up through `L`. Equal
// texts do not make it so: the coroutine that it would have to reach next must be this one.
static bool is_on_its_way(wf_vm *vm, lua_State *L, int err, const lua_State *through) {
  if (vm->error_at != through || !push_path(vm, L)) return false;
  lua_rawgeti(L, -1, 1);
  bool same = lua_rawequal(L, -1, err) != 0;
  lua_pop(L, 2);
  return same;
}

static int stack_depth(lua_State *L) {
  // Every look walks the stack from its top, so: few looks.
  lua_Debug ar;
  int low = 0, high = 1;  // there is a frame at low - 1, none at high
  while (lua_getstack(L, high, &ar) != 0) {
    low = high + 1;
    high *= 2;
  }
  while (low < high) {
    int middle = low + (high - low) / 2;
    if (lua_getstack(L, middle, &ar) != 0) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

void wf_trace_note_error(wf_vm *vm, lua_State *L, lua_State *co) {
  int err = lua_gettop(L);
  bool goes_on = is_on_its_way(vm, L, err, co);
  vm->error_at = L;
  vm->error_depth = INT32_MAX;
  if (!lua_checkstack(co, 1)) return;
  lua_pushthread(co);
  lua_xmove(co, L, 1);
  note(vm, L, err, goes_on);
}

void wf_trace_note_stack(wf_vm *vm, lua_State *L) {
  int err = lua_gettop(L);
  int depth = stack_depth(L);
  bool goes_on = is_on_its_way(vm, L, err, L);
  int last_depth = vm->error_depth;
  vm->error_at = L;
  vm->error_depth = depth;
  // Further up in the same coroutine: the stack noted first has this one in it.
  if (goes_on && depth < last_depth && last_depth != INT32_MAX) return;
  push_trace(L, L, 1);
  note(vm, L, err, goes_on && last_depth == INT32_MAX);
}

void wf_trace_renote_error(wf_vm *vm, lua_State *L) {
  int err = lua_gettop(L);
  if (!push_path(vm, L)) return;
  lua_pushvalue(L, err);
  lua_rawseti(L, -2, 1);
  lua_pop(L, 1);
}

void wf_trace_push_error_path(wf_vm *vm, lua_State *L, const lua_State *co) {
  int err = lua_gettop(L);
  int pushed = 0;
  if (is_on_its_way(vm, L, err, co) && push_path(vm, L)) {
    int path = lua_gettop(L);
    int n = (int)lua_objlen(L, path);
    for (int i = 2; i <= n; i++) {
      luaL_checkstack(L, 6, NULL);
      lua_rawgeti(L, path, i);
      if (lua_isthread(L, -1)) {
        wf_trace_push_failed(L, lua_tothread(L, -1), err);
        lua_remove(L, -2);
        lua_pushliteral(L, "\nresumed by, ");
      } else {
        lua_pushliteral(L, "\nrethrown, ");
      }
      pushed += 2;
    }
    lua_remove(L, path);
  }
  lua_concat(L, pushed);
}

void wf_trace_push_where(lua_State *L, wf_task *task) {
  lua_Debug ar;
  if (wf_site_find(task->at, 0, &ar) || (task->at != task->co && wf_site_find(task->co, 0, &ar))) {
    lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
    return;
  }
  // A task that has not started yet: where its function is.
  int top = lua_gettop(task->co);
  if (lua_status(task->co) == 0 && top > task->nresults &&
      lua_isfunction(task->co, top - task->nresults)) {
    lua_pushvalue(task->co, top - task->nresults);
    if (lua_getinfo(task->co, ">S", &ar) != 0 && ar.linedefined > 0) {
      lua_pushfstring(L, "%s:%d", ar.short_src, ar.linedefined);
      return;
    }
  }
  lua_pushliteral(L, "?");
}

static int error_text(lua_State *L) {
  if (luaL_callmeta(L, 1, "__tostring") && lua_isstring(L, -1)) return 1;
  lua_pushfstring(L, "(error object is a %s value)", luaL_typename(L, 1));
  return 1;
}

// Zero bytes as "\0": reports are C strings.
static void push_printable(lua_State *L, const char *text, size_t size) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\0') {
      luaL_addstring(&b, "\\0");
    } else {
      luaL_addchar(&b, text[i]);
    }
  }
  luaL_pushresult(&b);
}

void wf_trace_push_error_text(lua_State *L, int idx) {
  if (lua_isstring(L, idx)) {
    size_t size = 0;
    lua_pushvalue(L, idx);
    const char *text = lua_tolstring(L, -1, &size);
    if (strlen(text) == size) return;
    push_printable(L, text, size);
    lua_remove(L, -2);
    return;
  }
  lua_pushvalue(L, idx);
  lua_pushcfunction(L, error_text);
  lua_insert(L, -2);
  if (lua_pcall(L, 1, 1, 0) == 0) return;
  lua_pop(L, 1);
  lua_pushfstring(L, "(error object is a %s value, and its __tostring failed)",
                  luaL_typename(L, idx));
}
