// SPDX-License-Identifier: MIT
// The doors: what Lua sees of each room. A door checks arguments and holds no state. Each opener
// adds its C functions to the table on top of L's stack, which weft's Lua modules are built on and
// scripts never see (the raw table).
#ifndef WF_LIB_LIB_H
#define WF_LIB_LIB_H

#include <lauxlib.h>

#include "sched/vm.h"

void wf_lib_add(wf_vm *vm, lua_State *L, const luaL_Reg *functions);

// Adds the address of a function that compiled code calls through the FFI.
void wf_lib_add_address(lua_State *L, const char *name, void (*fn)(void));

void wf_lib_open_task(wf_vm *vm, lua_State *L);
void wf_lib_open_report(wf_vm *vm, lua_State *L);
void wf_lib_open_run(wf_vm *vm, lua_State *L);
void wf_lib_open_chan(wf_vm *vm, lua_State *L);
void wf_lib_open_select(wf_vm *vm, lua_State *L);
void wf_lib_open_context(wf_vm *vm, lua_State *L);
extern const struct wf_faces wf_lib_faces;
void wf_lib_open_face(wf_vm *vm, lua_State *L);
void wf_lib_open_scope(wf_vm *vm, lua_State *L);
void wf_lib_open_time(wf_vm *vm, lua_State *L);
void wf_lib_open_queue(wf_vm *vm, lua_State *L);
void wf_lib_open_sync(wf_vm *vm, lua_State *L);
void wf_lib_open_compiled(wf_vm *vm, lua_State *L);
void wf_lib_open_value(wf_vm *vm, lua_State *L);
void wf_lib_open_coroutine(wf_vm *vm, lua_State *L);
void wf_lib_open_preempt(wf_vm *vm, lua_State *L);
void wf_lib_open_codec(wf_vm *vm, lua_State *L);
void wf_lib_open_spawn(wf_vm *vm, lua_State *L);
void wf_lib_open_call(wf_vm *vm, lua_State *L);
void wf_lib_open_fs(wf_vm *vm, lua_State *L);
void wf_lib_open_signal(wf_vm *vm, lua_State *L);
void wf_lib_open_process(wf_vm *vm, lua_State *L);
void wf_lib_open_watch(wf_vm *vm, lua_State *L);
void wf_lib_open_rand(wf_vm *vm, lua_State *L);
void wf_lib_open_stream(wf_vm *vm, lua_State *L);
void wf_lib_open_net(wf_vm *vm, lua_State *L);
void wf_lib_open_udp(wf_vm *vm, lua_State *L);

// Makes `require "weft"` and the other modules find what is embedded, and loads the inner part
// (coroutines, require) into the VM. Raises when memory is out.
void wf_lib_open(wf_vm *vm, lua_State *L);

#endif
