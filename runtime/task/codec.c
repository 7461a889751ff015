// SPDX-License-Identifier: MIT
// The VM's part of the codec.
#include "task/codec.h"

#include <lauxlib.h>

#include "sched/runtime.h"
#include "task/scratch.h"

// The metatable of the environments of functions that have come from another VM.
static void make_env_type(wf_vm *vm, lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushvalue(vm->L, LUA_GLOBALSINDEX);
  lua_xmove(vm->L, L, 1);
  lua_setfield(L, -2, "__index");
  wf_vm_set_ref(vm, L, WF_REF_TASK_ENV_MT);
}

wf_codec *wf_codec_open(wf_vm *vm, lua_State *L) {
  if (WF_LIKELY(vm->codec != NULL)) return vm->codec;
  luaL_checkstack(L, LUA_MINSTACK, "too many values");
  wf_names names = {{0}};
  int top = lua_gettop(L);
  wf_closure_open(vm, L);
  make_env_type(vm, L);
  lua_createtable(L, WF_CODEC_KEYS, 0);
  wf_vm_set_ref(vm, L, WF_REF_KEYS);
  wf_names_open(vm, &names, L);
  wf_vm_push_ref(vm, L, WF_REF_ENV);
  const void *own_env = lua_topointer(L, -1);
  lua_settop(L, top);
  wf_codec *codec = wf_mem_new(&vm->rt->mem, sizeof *codec);
  if (codec == NULL) luaL_error(L, "not enough memory");
  wf_closure_init(&codec->closures);
  codec->names = names;
  codec->globals = vm->globals;
  codec->own_env = own_env;
  return vm->codec = codec;
}

static int open_protected(lua_State *L) {
  (void)wf_codec_open(lua_touserdata(L, 1), L);
  return 0;
}

bool wf_codec_open_protected(wf_vm *vm, lua_State *L) {
  return lua_cpcall(L, open_protected, vm) == 0;
}

void wf_codec_free(wf_vm *vm) {
  wf_codec *codec = vm->codec;
  if (codec == NULL) return;
  vm->codec = NULL;
  wf_scratch_free(codec->scratch);
  wf_closure_free(vm, &codec->closures);
  wf_mem_free(&vm->rt->mem, codec, sizeof *codec);
}
