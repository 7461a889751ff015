// SPDX-License-Identifier: MIT
#include "sched/runtime.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

// The end, on its way to worker 0.
typedef struct far_end {
  wf_mail mail;
  wf_runtime *rt;
  wf_end end;
  size_t size;
  char text[];
} far_end;

static void end_main(wf_runtime *rt, lua_State *L, wf_end end) {
  rt->vm.stop = true;
  if (rt->end != WF_RUNNING) {
    lua_pop(L, 1);
    return;
  }
  rt->end = end;
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->panic_ref);
}

static int push_text(lua_State *L) {
  far_end *far = lua_touserdata(L, 1);
  lua_pushstring(L, far->text);
  end_main(far->rt, L, far->end);
  return 0;
}

static void open_far_end(wf_mail *mail) {
  far_end *far = wf_container_of(mail, far_end, mail);
  wf_runtime *rt = far->rt;
  if (wf_vm_call_protected(&rt->vm, push_text, far) != 0) wf_runtime_fail(&rt->vm);
  wf_mem_free(&rt->mem, far, sizeof *far + far->size);
}

// Without memory for the text, or for anything: it must come to light all the same.
static void open_out_of_memory(wf_mail *mail) {
  wf_runtime *rt = wf_container_of(mail, wf_runtime, out_of_memory);
  lua_rawgeti(rt->vm.L, LUA_REGISTRYINDEX, rt->oom_ref);
  end_main(rt, rt->vm.L, WF_END_PANIC);
}

static void end_from_afar(wf_runtime *rt, const char *text, wf_end end) {
  size_t size = strlen(text) + 1;
  far_end *far = wf_mem_new(&rt->mem, sizeof *far + size);
  if (far != NULL) {
    *far = (far_end){.mail.open = open_far_end, .rt = rt, .end = end, .size = size};
    memcpy(far->text, text, size);
    wf_worker_post(&rt->worker, &far->mail);
  } else if (wf_u64_fetch_add(&rt->out_of_memory_posted, 1, WF_RELAXED) == 0) {
    rt->out_of_memory.open = open_out_of_memory;
    wf_worker_post(&rt->worker, &rt->out_of_memory);
  }
}

void wf_runtime_end(wf_vm *vm, lua_State *L, wf_end end) {
  if (vm == &vm->rt->vm) {
    end_main(vm->rt, L, end);
    return;
  }
  end_from_afar(vm->rt, lua_tostring(L, -1), end);
  lua_pop(L, 1);
}

static int keep_words(lua_State *L) {
  const wf_runtime *rt = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->panic_ref);
  lua_pushfstring(L, "panic: %s\n", lua_tostring(L, -1));
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->panic_ref);
  return 0;
}

void wf_runtime_fail(wf_vm *vm) {
  wf_runtime *rt = vm->rt;
  lua_State *L = vm->L;
  bool has_words = lua_type(L, -1) == LUA_TSTRING && rt->end == WF_RUNNING;
  if (vm != &rt->vm) {
    char text[1024];
    const char *words = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "not enough memory";
    (void)snprintf(text, sizeof text, "panic: %s\n", words);
    lua_pop(L, 1);
    end_from_afar(rt, text, WF_END_PANIC);
    return;
  }
  if (!has_words) {
    lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->oom_ref);
  }
  end_main(rt, L, WF_END_PANIC);
  if (has_words && wf_vm_call_protected(vm, keep_words, rt) != 0) {
    lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->oom_ref);
    lua_rawseti(L, LUA_REGISTRYINDEX, rt->panic_ref);
  }
}
