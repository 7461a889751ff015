// SPDX-License-Identifier: MIT
#include "io/process.h"

#include <signal.h>
#include <string.h>

#include "io/file.h"
#include "io/signal.h"
#include "lib/arg.h"
#include "lib/event.h"
#include "lib/lib.h"

// The strings of the list at idx, NULL-terminated, as a userdata that is pushed. They live as long
// as the list.
static char **push_strings(lua_State *L, int idx) {
  size_t n = lua_objlen(L, idx);
  char **list = lua_newuserdata(L, (n + 1) * sizeof *list);
  for (size_t i = 0; i < n; i++) {
    lua_rawgeti(L, idx, (int)i + 1);
    list[i] = (char *)(uintptr_t)lua_tostring(L, -1);
    lua_pop(L, 1);
  }
  list[n] = NULL;
  return list;
}

// A standard stream, by what is at idx: "pipe", "inherit", "null", a stream or a file. Pushes the
// stream that we get of it, or nil. False: it is closed.
static bool stdio_at(lua_State *L, int idx, int number, wf_process_stdio *s) {
  const char *word = lua_tostring(L, idx);
  *s = (wf_process_stdio){.fd = -1};
  if (word != NULL && word[0] == 'p') {
    s->pipe = wf_stream_new(wf_door_vm(L), L, "pipe");
    return true;
  }
  if (word != NULL) {
    s->fd = word[0] == 'i' ? number : -1;
  } else {
    const wf_stream *stream = wf_stream_at(L, idx);
    const wf_file *file = stream == NULL ? wf_file_at(L, idx) : NULL;
    s->fd = stream != NULL ? wf_stream_fd(stream) : file != NULL && !file->closed ? file->fd : -1;
    if (s->fd < 0) return false;
  }
  lua_pushnil(L);
  return true;
}

enum { ARGS = 1, ENV, CWD, STDIO, LAST = STDIO + 2 };

// process_start(args, env, cwd, stdin, stdout, stderr) -> process, pid, our ends of the pipes;
// nil, err, code
static int l_process_start(lua_State *L) {
  wf_process_options o = {0};
  lua_settop(L, LAST);
  o.cwd = lua_tostring(L, CWD);
  o.args = push_strings(L, ARGS);
  if (!lua_isnil(L, ENV)) o.env = push_strings(L, ENV);
  lua_pushnil(L);
  lua_replace(L, CWD);
  wf_process *p = wf_process_new(wf_door_vm(L), L);
  int process = lua_gettop(L);
  lua_pushnil(L);
  for (int i = 0; i < 3; i++) {
    if (stdio_at(L, STDIO + i, i, &o.stdio[i])) continue;
    return wf_event_push_failure(L, "start", o.args[0], UV_EBADF);
  }
  int rc = wf_process_start(p, &o);
  if (rc != 0) return wf_event_push_failure(L, "start", o.args[0], rc);
  lua_pushinteger(L, p->pid);
  lua_replace(L, process + 1);
  return 5;
}

static wf_process *process_at(lua_State *L) {
  wf_process *p = wf_process_at(L, 1);
  if (p == NULL) wf_raise(L, "the insides of a process were overwritten");
  return p;
}

// process_wait(process, ctx) -> true, it has ended; nil, err
static int l_process_wait(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_process *p = process_at(L);
  wf_ctx *ctx = wf_arg_context(L, 2, 1, "wait");
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (p->ended) {
    lua_pushboolean(L, 1);
    return 1;
  }
  wf_check_can_park(vm, L, "wait");
  wf_event_wait(vm, L, &p->event, ctx);
  return wf_event_park(vm, L);
}

// process_result(process) -> code or nil, signal's name or nil
static int l_process_result(lua_State *L) {
  const wf_process *p = process_at(L);
  if (!p->ended) return 0;
  if (p->signal == 0) {
    lua_pushnumber(L, (double)p->code);
    return 1;
  }
  lua_pushnil(L);
  lua_pushstring(L, wf_signal_name(p->signal));
  return 2;
}

// process_kill(process, number, group) -> true; nil, err, code
static int l_process_kill(lua_State *L) {
  const wf_process *p = process_at(L);
  int rc = wf_process_kill(p, (int)lua_tointeger(L, 2), lua_toboolean(L, 3) != 0);
  lua_pushinteger(L, p->pid);
  if (rc != 0) return wf_event_push_failure(L, "kill", lua_tostring(L, -1), rc);
  lua_pushboolean(L, 1);
  return 1;
}

// process_bind(process, ctx): the end of the context kills it
static int l_process_bind(lua_State *L) {
  wf_ctx *ctx = wf_ctx_at(L, 2);
  if (ctx == NULL) wf_raise(L, "the insides of a context were overwritten");
  wf_ctx_look(L, ctx);
  wf_process_bind(process_at(L), ctx);
  return 0;
}

// kill_number(name) -> the number of any signal, 0: there is none of that name
static int l_kill_number(lua_State *L) {
  const char *name = lua_tostring(L, 1);
  int number = wf_signal_number(name);
  if (strcmp(name, "SIGKILL") == 0) number = SIGKILL;
  if (strcmp(name, "SIGSTOP") == 0) number = SIGSTOP;
  lua_pushinteger(L, number);
  return 1;
}

void wf_lib_open_process(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"process_start", l_process_start},
                                       {"process_wait", l_process_wait},
                                       {"process_result", l_process_result},
                                       {"process_kill", l_process_kill},
                                       {"process_bind", l_process_bind},
                                       {"kill_number", l_kill_number},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
