// SPDX-License-Identifier: MIT
// The body of weft.h: wires the floors together and turns what happens inside into a status and
// words. Lua's entry points for module mode are in module.c.
#include "api.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "io/block.h"
#include "io/dns.h"
#include "lib/lib.h"
#include "sched/cores.h"
#include "sched/heap.h"
#include "sched/workers.h"
#include "task/blocking.h"
#include "task/codec.h"
#include "task/hog.h"
#include "task/isolated.h"
#include "task/main.h"
#include "task/preempt.h"
#include "task/spawn.h"
#include "task/task.h"

const char *weft_version(void) { return WEFT_VERSION; }

static void to_stderr(void *ud, const char *text) {
  (void)ud;
  (void)fputs(text, stderr);  // a closed stderr loses the words, nothing else
  (void)fflush(stderr);
}

static void last_object_gone(struct wf_runtime *rt) {
  weft *w = wf_container_of(rt, weft, rt);
  wf_api_free(w);
  if (!w->free_with_objects || w->stuck) return;
  wf_mem mem = rt->mem;
  wf_mem_free(&mem, w, sizeof *w);
}

static void interrupt(struct wf_runtime *rt) {
  weft *w = wf_container_of(rt, weft, rt);
  if (w->config.on_interrupt != NULL) w->config.on_interrupt(w->config.ud);
}

static const wf_hooks hooks = {
    .run_batch = wf_task_run_batch,
    .settle = wf_settle,
    .interrupt = interrupt,
    .last_object_gone = last_object_gone,
    .nudge = wf_preempt_nudge,
    .peek_hog = wf_hog_peek,
    .say_hog = wf_hog_say,
    .report_hog = wf_hog_report,
    .start_portable = wf_spawn_start,
    .drop_portable = wf_spawn_drop,
    .open_isolated = wf_api_open_isolated,
    .collect_idle = wf_main_collect_idle,
    .faces = &wf_lib_faces,
    .retire = wf_api_retire,
};

weft_status wf_api_fail(weft *w, weft_status status, const char *words) {
  (void)snprintf(w->error, sizeof w->error, "%s", words);
  return status;
}

// The Lua error on top of the stack, popped.
static weft_status fail_lua(weft *w, int lua_status) {
  lua_State *L = w->L;
  const char *words = lua_tostring(L, -1);
  weft_status status = lua_status == LUA_ERRMEM ? WEFT_ERR_MEMORY : WEFT_ERR_LOAD;
  (void)wf_api_fail(w, status, words != NULL ? words : "(error object is not a string)");
  lua_pop(L, 1);
  return status;
}

static uint64_t any_seed(const weft *w) {
#ifdef WEFT_TORTURE
  // So that a run can be repeated, with all the processes that it starts.
  const char *given = getenv("WEFT_TORTURE_SEED");
  if (given != NULL) return strtoull(given, NULL, 10);
#endif
  uint64_t seed = wf_clock_machine_ns() ^ ((uint64_t)(uintptr_t)w << 16);
  return seed * 0x9e3779b97f4a7c15U;
}

// WEFT_WORKERS, when it is a number of workers; the weft command refuses any other.
static uint32_t workers_of_environment(void) {
  const char *text = getenv("WEFT_WORKERS");
  char *end = NULL;
  if (text == NULL || text[0] < '0' || text[0] > '9') return 0;
  unsigned long n = strtoul(text, &end, 10);
  return *end == '\0' && n <= WF_MAX_WORKERS ? (uint32_t)n : 0;
}

static wf_mem mem_of(const weft_config *config) {
  return (wf_mem){.fn = config->alloc != NULL ? config->alloc : wf_mem_default,
                  .ud = config->alloc_ud};
}

void wf_api_init(weft *w, const weft_config *config) {
  memset(w, 0, sizeof *w);
  w->config = *config;
  if (w->config.on_panic == NULL) w->config.on_panic = to_stderr;
  wf_runtime *rt = &w->rt;
  rt->mem = mem_of(config);
  rt->hooks = &hooks;
  rt->seed = config->seed != 0 ? config->seed : any_seed(w);
  rt->nworkers = config->workers != 0 ? config->workers : workers_of_environment();
  rt->count_cores = wf_cores_available;
  rt->keep_free = config->keep_free != 0;
  rt->is_virtual = config->clock == WEFT_CLOCK_VIRTUAL;
  rt->warn_pending = config->warn_pending != 0;
  rt->warn_leaks = config->warn_leaks != 0;
  rt->warn_unclosed = config->warn_unclosed != 0;
  rt->hog_ns = (uint64_t)config->warn_hog_ms * 1000000;
  rt->preempt_all = config->preempt != 0;
  rt->log = config->on_log != NULL ? config->on_log : to_stderr;
  rt->log_ud = config->ud;
  rt->worker.rt = rt;
  rt->worker.vm = &rt->vm;
  w->main_fn = w->requires = w->args = LUA_NOREF;
}

static int open_libs(lua_State *L) {
  weft *w = lua_touserdata(L, 1);
  wf_runtime *rt = &w->rt;
  if (!rt->module_mode) luaL_openlibs(L);
  lua_pushliteral(L, "panic: not enough memory\n");
  rt->oom_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushliteral(L, "");
  rt->panic_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  wf_lib_open(&rt->vm, L);
  return 0;
}

weft_status wf_api_attach(weft *w, lua_State *L) {
  wf_runtime *rt = &w->rt;
  w->L = L;
  if (wf_loop_init(&rt->worker.loop, rt->count_cores) != 0) {
    return wf_api_fail(w, WEFT_ERR_SYSTEM, "no descriptors for an event loop");
  }
  w->has_loop = true;
  if (w->config.on_interrupt != NULL && wf_loop_enable_wakes(&rt->worker.loop) != 0) {
    return wf_api_fail(w, WEFT_ERR_SYSTEM, "no descriptors for an event loop");
  }
  if (wf_vm_init(&rt->vm, rt, &rt->worker, L) != 0) return WEFT_ERR_MEMORY;
  w->has_vm = true;
  if (w->config.clock == WEFT_CLOCK_VIRTUAL) wf_clock_virtual(&rt->vm.clock);
  rt->vm.now_ns = rt->vm.start_ns = wf_clock_now(&rt->vm.clock);
  if (rt->preempt_all) rt->vm.task_flags = WF_TASK_PREEMPT;
  int status = lua_cpcall(L, open_libs, w);
  if (status == 0) return WEFT_OK;
  (void)fail_lua(w, status);
  return status == LUA_ERRMEM ? WEFT_ERR_MEMORY : WEFT_ERR_SYSTEM;
}

// What was under way between workers whose threads have ended arrives, and is freed with that.
static void open_last_mail(const wf_runtime *rt) {
  bool any;
  do {
    any = false;
    for (uint32_t i = 0; i < rt->workers->places; i++) {
      wf_worker *worker = rt->workers->list[i];
      if (worker != NULL && wf_worker_open_mail(worker)) any = true;
    }
  } while (any);
}

static void stop_workers(weft *w) {
  wf_runtime *rt = &w->rt;
  uint32_t wait_ms = w->config.close_wait_ms != 0 ? w->config.close_wait_ms : 1000;
  w->stuck = !wf_workers_stop(rt, (uint64_t)wait_ms * 1000000);
  if (rt->workers == NULL) return;
  for (uint32_t i = 1; w->stuck && !w->config.close_quietly && i < rt->workers->places; i++) {
    const wf_worker *worker = rt->workers->list[i];
    if (worker == NULL || !worker->started) continue;
    char words[128];
    (void)snprintf(words, sizeof words,
                   "weft: closing: the thread of worker %u does not end: a task keeps it\n", i);
    rt->log(rt->log_ud, words);
  }
  if (w->stuck) return;
  open_last_mail(rt);
  for (uint32_t i = 0; i < rt->workers->places; i++) {
    if (rt->workers->list[i] != NULL) wf_api_close_isolated(rt->workers->list[i]);
  }
}

void wf_api_let_go(weft *w) {
  if (!w->has_vm) return;
  stop_workers(w);
  wf_preempt_close(&w->rt.vm);
  wf_monitor_stop(&w->rt, w->stuck);
  wf_tasks_abandon(&w->rt.vm);
  wf_obj_release_all(&w->rt.vm);
}

void wf_api_free(weft *w) {
  wf_runtime *rt = &w->rt;
  if (!w->stuck) {
    if (rt->workers != NULL) wf_blocking_drop_all(rt);
    wf_workers_close(rt);
    wf_isolated_close(rt);
    wf_site_texts_free(rt);
  }
  if (w->has_vm) {
    wf_tasks_free(&rt->vm);
    wf_sites_free(&rt->vm);
    wf_codec_free(&rt->vm);
    wf_dns_close(&rt->vm);
    wf_block_free_all(&rt->vm);
    wf_vm_deinit(&rt->vm);
  }
  if (w->has_loop) wf_loop_close(&rt->worker.loop);
  w->has_vm = w->has_loop = false;
}

static void free_all(weft *w) {
  wf_api_free(w);
  wf_mem mem = w->rt.mem;
  wf_mem_free(&mem, w, sizeof *w);
}

enum { STATE_BYTES = 65536 };

// LuaJIT crashes when memory runs out in the middle of lua_newstate, so what it needs is asked for
// in one piece beforehand.
lua_State *wf_api_new_state(wf_runtime *rt) {
  void *probe = wf_mem_new(&rt->mem, STATE_BYTES);
  if (probe == NULL) return NULL;
  wf_mem_free(&rt->mem, probe, STATE_BYTES);
#ifndef WEFT_LUA_MALLOC
  if (rt->mem.fn == wf_mem_default) return luaL_newstate();
#endif
  return lua_newstate(rt->mem.fn, rt->mem.ud);
}

static int open_heap(lua_State *L) {
  wf_heap_open(lua_touserdata(L, 1), L);
  return 0;
}

weft_status weft_open(const weft_config *config, weft **out) {
  static const weft_config defaults;
  *out = NULL;
  if (config == NULL) config = &defaults;
  wf_mem mem = mem_of(config);
  weft *w = wf_mem_new(&mem, sizeof *w);
  if (w == NULL) return WEFT_ERR_MEMORY;
  wf_api_init(w, config);
  lua_State *L = wf_api_new_state(&w->rt);
  weft_status status = L != NULL ? wf_api_attach(w, L) : WEFT_ERR_MEMORY;
  if (status == WEFT_OK && lua_cpcall(L, open_heap, &w->rt.vm) != 0) status = WEFT_ERR_MEMORY;
  if (status != WEFT_OK) {
    w->rt.vm.owns_state = true;
    wf_api_let_go(w);
    if (L != NULL) lua_close(L);
    free_all(w);
    return status;
  }
  w->rt.vm.owns_state = true;
  *out = w;
  return WEFT_OK;
}

void weft_close(weft *w) {
  if (w == NULL) return;
  wf_api_let_go(w);
  // The state before the rest: its finalisers still reach the objects of the runtime.
  lua_close(w->L);
  if (!w->stuck) free_all(w);
}

weft_status wf_api_misuse(weft *w) {
  return wf_api_fail(w, WEFT_ERR_MISUSE, "the runtime is running: this call is for between runs");
}

static void set_ref(lua_State *L, int *ref) {
  luaL_unref(L, LUA_REGISTRYINDEX, *ref);
  *ref = LUA_NOREF;
  *ref = luaL_ref(L, LUA_REGISTRYINDEX);
}

typedef struct load_call {
  weft *w;
  const char *path, *code, *name;
  size_t size;
  int status;
} load_call;

static int load_protected(lua_State *L) {
  load_call *call = lua_touserdata(L, 1);
  call->status = call->code != NULL ? luaL_loadbuffer(L, call->code, call->size, call->name)
                                    : luaL_loadfile(L, call->path);
  if (call->status != 0) return lua_error(L);
  set_ref(L, &call->w->main_fn);
  return 0;
}

static weft_status load(load_call *call) {
  weft *w = call->w;
  w->error[0] = '\0';
  if (wf_main_busy(&w->rt.vm)) return wf_api_misuse(w);
  int status = lua_cpcall(w->L, load_protected, call);
  return status == 0 ? WEFT_OK : fail_lua(w, status == LUA_ERRMEM ? status : call->status);
}

weft_status weft_load_file(weft *w, const char *path) {
  load_call call = {.w = w, .path = path};
  return load(&call);
}

weft_status weft_load_buffer(weft *w, const char *code, size_t size, const char *name) {
  load_call call = {.w = w, .code = code, .size = size, .name = name};
  return load(&call);
}

weft_status weft_load_string(weft *w, const char *code, const char *name) {
  return weft_load_buffer(w, code, strlen(code), name);
}

typedef struct args_call {
  weft *w;
  const char *module;
  int argc, script;
  char *const *argv;
} args_call;

static int require_protected(lua_State *L) {
  args_call *call = lua_touserdata(L, 1);
  weft *w = call->w;
  if (w->requires == LUA_NOREF) {
    lua_createtable(L, 1, 0);
    set_ref(L, &w->requires);
  }
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->requires);
  lua_pushstring(L, call->module);
  lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
  return 0;
}

weft_status weft_require(weft *w, const char *module) {
  args_call call = {.w = w, .module = module};
  if (wf_main_busy(&w->rt.vm)) return wf_api_misuse(w);
  int status = lua_cpcall(w->L, require_protected, &call);
  return status == 0 ? WEFT_OK : fail_lua(w, status);
}

static int args_protected(lua_State *L) {
  args_call *call = lua_touserdata(L, 1);
  lua_createtable(L, call->argc, 2);
  for (int i = 0; i < call->argc; i++) {
    lua_pushstring(L, call->argv[i]);
    lua_rawseti(L, -2, i - call->script);
  }
  lua_pushvalue(L, -1);
  lua_setglobal(L, "arg");
  set_ref(L, &call->w->args);
  call->w->nargs = call->argc - call->script - 1;
  return 0;
}

weft_status weft_set_args(weft *w, int argc, char *const *argv, int script) {
  args_call call = {.w = w, .argc = argc, .argv = argv, .script = script};
  if (wf_main_busy(&w->rt.vm)) return wf_api_misuse(w);
  int status = lua_cpcall(w->L, args_protected, &call);
  return status == 0 ? WEFT_OK : fail_lua(w, status);
}

// Pushes the function that runs the loaded chunk (lua/weft/internal/init.lua: start) and what it
// needs: the modules to require, the chunk, its arguments.
static void push_main(weft *w, lua_State *L) {
  int nargs = w->args != LUA_NOREF && w->nargs > 0 ? w->nargs : 0;
  luaL_checkstack(L, nargs + 6, "too many arguments");
  wf_vm_push_ref(&w->rt.vm, L, WF_REF_RAW);
  lua_getfield(L, -1, "start");
  lua_remove(L, -2);
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->requires);
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->main_fn);
  if (nargs == 0) return;
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->args);
  int table = lua_gettop(L);
  for (int i = 1; i <= nargs; i++) lua_rawgeti(L, table, i);
  lua_remove(L, table);
}

static void forget_main(weft *w) {
  luaL_unref(w->L, LUA_REGISTRYINDEX, w->main_fn);
  luaL_unref(w->L, LUA_REGISTRYINDEX, w->requires);
  w->main_fn = w->requires = LUA_NOREF;
}

static int run_protected(lua_State *L) {
  weft *w = lua_touserdata(L, 1);
  push_main(w, L);
  forget_main(w);
  w->end = wf_main_run(&w->rt.vm, L, 2, false);
  return 0;
}

static int start_protected(lua_State *L) {
  weft *w = lua_touserdata(L, 1);
  push_main(w, L);
  (void)wf_task_go(&w->rt.vm, L, 2);
  forget_main(w);
  return 0;
}

static weft_status begin(weft *w) {
  w->error[0] = '\0';
  if (wf_main_busy(&w->rt.vm)) return wf_api_misuse(w);
  if (w->main_fn == LUA_NOREF) return wf_api_fail(w, WEFT_ERR_MISUSE, "nothing is loaded");
  return WEFT_OK;
}

// Hands the report of a bad end to whoever wants it.
static weft_status conclude(weft *w, wf_end end) {
  if (end == WF_END_MAIN || end == WF_RUNNING) return WEFT_OK;
  if (end == WF_END_HANDLED) return wf_api_fail(w, WEFT_ERR_PANIC, "main failed");
  lua_State *L = w->L;
  lua_rawgeti(L, LUA_REGISTRYINDEX, w->rt.panic_ref);
  const char *report = lua_tostring(L, -1);
  if (end == WF_END_LOAD) {
    weft_status status = wf_api_fail(w, WEFT_ERR_LOAD, report);
    lua_pop(L, 1);
    return status;
  }
  (void)fflush(stdout);
  w->config.on_panic(w->config.ud, report);
  weft_status status = end == WF_END_DEADLOCK ? WEFT_ERR_DEADLOCK : WEFT_ERR_PANIC;
  (void)wf_api_fail(w, status, report);
  lua_pop(L, 1);
  return status;
}

weft_status weft_run(weft *w) {
  weft_status status = begin(w);
  if (status != WEFT_OK) return status;
  int lua_status = lua_cpcall(w->L, run_protected, w);
  if (lua_status != 0) return fail_lua(w, lua_status);
  return conclude(w, w->end);
}

weft_status weft_start(weft *w) {
  weft_status status = begin(w);
  if (status != WEFT_OK) return status;
  int lua_status = lua_cpcall(w->L, start_protected, w);
  return lua_status == 0 ? WEFT_OK : fail_lua(w, lua_status);
}

weft_status weft_step(weft *w, double budget_s, double dt_s, weft_step_info *info) {
  wf_vm *vm = &w->rt.vm;
  w->error[0] = '\0';
  if (wf_main_busy(vm)) return wf_api_misuse(w);
  wf_end end = wf_main_step(vm, w->L, budget_s, dt_s);
  if (end != WF_RUNNING) lua_pop(w->L, 1);
  if (info != NULL) {
    uint64_t next = wf_timers_next(&vm->timers), now = wf_clock_now(&vm->clock);
    info->tasks = vm->stats.tasks;
    info->ready = wf_vm_ready(vm);
    info->next_timer = next == WF_NEVER ? -1 : next > now ? (double)(next - now) / 1e9 : 0;
  }
  return conclude(w, end);
}

void weft_interrupt(weft *w) { wf_worker_interrupt(&w->rt.worker); }

const char *weft_error(const weft *w) { return w->error; }

lua_State *weft_lua(weft *w) { return w->L; }

uv_loop_t *weft_loop(weft *w) { return &w->rt.worker.loop.uv; }
