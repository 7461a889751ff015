// SPDX-License-Identifier: MIT
#include "task/spawn.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/check.h"
#include "task/blocking.h"
#include "task/codec.h"
#include "task/core.h"
#include "task/isolated.h"
#include "task/mark.h"
#include "task/obj.h"
#include "task/own.h"
#include "task/site.h"
#include "task/task.h"

typedef struct spawned {
  wf_portable portable;
  uint64_t id, creator;
  wf_job *job;         // NULL: nobody waits
  bool own;            // the message ends with the creator's own context
  wf_message message;  // the function and its arguments
  wf_core *counted;    // of a waitgroup that counts the task, or NULL
  char created[WF_SITE_BYTES];
  // The message's parcel, when that is small enough: one block has both.
  _Alignas(8) char room[];
} spawned;

enum { ROOM = WF_PORTABLE_BYTES - sizeof(spawned) };

_Static_assert(sizeof(spawned) + sizeof(wf_parcel) + 64 <= WF_PORTABLE_BYTES,
               "there is room for a parcel");

// wf_mem_fn for the parcel; ud is the worker that spawns. What is small enough brings the block of
// the task along, and its end gives that back.
static void *in_room(void *ud, void *ptr, size_t osize, size_t nsize) {
  wf_worker *home = ud;
  if ((nsize != 0 ? nsize : osize) > ROOM) {
    return home->rt->mem.fn(home->rt->mem.ud, ptr, osize, nsize);
  }
  if (nsize == 0) {
    wf_crates_give(wf_container_of(ptr, spawned, room));
    return NULL;
  }
  WF_ASSERT(ptr == NULL);
  spawned *s = wf_crates_take(&home->crates);
  return s != NULL ? s->room : NULL;
}

static bool is_in_room(const wf_parcel *parcel) { return parcel != NULL && parcel->block <= ROOM; }

static void free_spawned(spawned *s) {
  bool in_one_block = is_in_room(s->message.parcel);
  if (s->counted != NULL) wf_core_unref(s->counted);
  wf_message_free(&s->message);
  if (!in_one_block) wf_crates_give(s);
}

static void open_workers(wf_vm *vm, lua_State *L, const char *call) {
  wf_runtime *rt = vm->rt;
  if (WF_LIKELY(rt->workers != NULL)) return;
  if (!wf_isolated_open(rt) || !wf_workers_open(rt)) {
    luaL_error(L, "'%s': not enough memory or descriptors for workers", call);
  }
}

// Raises `'call': why`, for the reason on top of the stack.
static _Noreturn void refuse(lua_State *L, const char *call) {
  wf_site_push_where(L);
  lua_pushfstring(L, "'%s': ", call);
  lua_pushvalue(L, -3);
  lua_concat(L, 3);
  (void)lua_error(L);
  __builtin_unreachable();
}

void wf_spawn_no_thread(lua_State *L, const char *call, int error) {
  char words[128];
  lua_pushfstring(L, "no thread can be created: %s",
                  uv_strerror_r(uv_translate_sys_error(error), words, sizeof words));
  refuse(L, call);
}

wf_portable *wf_spawn_pack(wf_vm *vm, lua_State *L, int first, wf_job *job, const char *call) {
  if (vm->orphaned) wf_site_raise(L, "weft has been closed");
  open_workers(vm, L, call);
  wf_isolated_note_paths(vm, L);
  uint32_t site = wf_site_here(vm, L);
  wf_message m;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  bool own = wf_own_push(vm, L);
  wf_worker *worker = vm->worker;
  wf_mem mem = {.fn = in_room, .ud = worker};
  int n = lua_gettop(L) - first + 1;
  if (!wf_codec_pack_into(vm, L, first, n, WF_PACK_CALL, &mem, &m)) refuse(L, call);
  spawned *s = is_in_room(m.parcel) ? wf_container_of(m.parcel, spawned, room)
                                    : wf_crates_take(&worker->crates);
  if (s == NULL) {
    wf_message_free(&m);
    wf_site_raise(L, "not enough memory");
  }
  s->message = m;
  s->counted = NULL;
  s->own = own;
  s->job = job;
  s->id = wf_task_next_id(vm);
  s->creator = vm->current != NULL ? vm->current->id : 0;
  wf_site_copy(vm, site, s->created);
  wf_u64_store(&worker->sent, wf_u64_load(&worker->sent, WF_RELAXED) + 1, WF_RELAXED);
  return &s->portable;
}

void wf_spawn_sent(wf_vm *vm, wf_job *job) {
  if (job != NULL) wf_obj_hold(&job->held, &job->obj);  // its answer is opened on this thread
  vm->stats.spawned++;
}

static void push_item(wf_vm *vm, lua_State *L, wf_portable *item, wf_job *job, const char *call) {
  int error = wf_workers_ensure(vm->rt);
  if (WF_UNLIKELY(error != 0)) {
    wf_spawn_drop(vm->rt, item);
    wf_spawn_no_thread(L, call, error);
  }
  if (WF_UNLIKELY(!wf_workers_push(vm->rt, vm->worker, item))) {
    wf_spawn_drop(vm->rt, item);
    wf_site_raise(L, "not enough memory");
  }
  wf_spawn_sent(vm, job);
}

void wf_spawn(wf_vm *vm, lua_State *L, int first, wf_job *job, const char *call) {
  push_item(vm, L, wf_spawn_pack(vm, L, first, job, call), job, call);
}

void wf_spawn_counted(wf_vm *vm, lua_State *L, int first, const char *call) {
  wf_message m;
  if (!wf_codec_pack(vm, L, first, 1, WF_PACK_VALUES, &m)) refuse(L, call);
  wf_message_free(&m);
  wf_core *core = wf_obj_any(L, first)->core;
  wf_portable *item = wf_spawn_pack(vm, L, first + 1, NULL, call);
  wf_core_ref(core);
  wf_container_of(item, spawned, portable)->counted = core;
  push_item(vm, L, item, NULL, call);
}

void wf_spawn_drop(wf_runtime *rt, wf_portable *item) {
  wf_u64_add(&rt->workers->dropped, 1, WF_RELAXED);
  free_spawned(wf_container_of(item, spawned, portable));
}

// Starting ------------------------------------------------------------------------------------

typedef struct start_call {
  wf_vm *vm;
  spawned *s;
} start_call;

static int raise_first(lua_State *L) {
  lua_settop(L, 1);
  return lua_error(L);
}

// The task as it is to be reported: as if the spawning task had called `go`.
static void label_task(wf_task *task, const spawned *s, uint32_t site) {
  wf_store_relaxed(&task->id, s->id);
  wf_store_relaxed(&task->creator, s->creator);
  wf_store_release(&task->site, site);
}

// The function in Lua that runs the task's own.
static void push_raw(wf_vm *vm, lua_State *L, const char *name) {
  wf_vm_push_ref(vm, L, WF_REF_RAW);
  lua_getfield(L, -1, name);
  lua_remove(L, -2);
}

// The function from `first` on, with its arguments and its own context on top, becomes one that
// gets that first.
static void put_under(wf_vm *vm, lua_State *L, int first) {
  lua_insert(L, first);
  push_raw(vm, L, "run_under");
  lua_insert(L, first);
}

static int start_protected(lua_State *L) {
  start_call *call = lua_touserdata(L, 1);
  wf_vm *vm = call->vm;
  spawned *s = call->s;
  lua_settop(L, 0);
  luaL_checkstack(L, LUA_MINSTACK, "too many arguments");
  (void)wf_codec_open(vm, L);
  wf_isolated_follow_paths(vm, L);
  uint32_t site = wf_site_named(vm, s->created);
  if (s->job != NULL) {
    push_raw(vm, L, "run_job");
    lua_pushlightuserdata(L, s->job);
  } else if (s->counted != NULL) {
    wf_core_push(vm, L, s->counted);  // first: it loads weft.sync
    push_raw(vm, L, "run_counted");
    lua_insert(L, 1);
  }
  int first = lua_gettop(L) + 1;
  if (!wf_codec_unpack(vm, L, &s->message)) {
    // A task that fails with this: it has a number, and somebody who started it.
    lua_pushcfunction(L, raise_first);
    lua_insert(L, first);
    lua_settop(L, first + 1);
  } else if (s->own) {
    put_under(vm, L, first);
  }
  label_task(wf_task_go(vm, L, 1), s, site);
  wf_u64_store(&vm->worker->live, vm->stats.tasks, WF_RELAXED);
  s->job = NULL;  // the task's
  return 0;
}

static int fail_protected(lua_State *L) {
  start_call *call = lua_touserdata(L, 1);
  lua_settop(L, 0);
  lua_pushcfunction(L, raise_first);
  lua_pushliteral(L, "not enough memory");
  label_task(wf_task_go(call->vm, L, 1), call->s, 0);
  return 0;
}

// Only now: a task has been counted as live by then.
static void begun(wf_worker *worker, spawned *s) {
  wf_u64_store(&worker->begun, wf_u64_load(&worker->begun, WF_RELAXED) + 1, WF_RELEASE);
  free_spawned(s);
}

void wf_spawn_start(wf_worker *worker, wf_portable *item) {
  wf_runtime *rt = worker->rt;
  spawned *s = wf_container_of(item, spawned, portable);
  wf_job *job = s->job;
  if (worker->isolated == NULL && !rt->hooks->open_isolated(worker)) {
    // Somebody who has a VM already may have more luck; who has none cannot even say so.
    if (job != NULL) wf_worker_post(job->obj.vm->worker, &job->mail);
    begun(worker, s);
    return;
  }
  start_call call = {.vm = worker->isolated, .s = s};
  if (lua_cpcall(call.vm->L, start_protected, &call) != 0) {
    lua_pop(call.vm->L, 1);
    if (s->job != NULL) {
      wf_job_fail(call.vm, job);
    } else if (wf_vm_call_protected(call.vm, fail_protected, &call) != 0) {
      wf_runtime_fail(call.vm);
    }
  }
  begun(worker, s);
}

// Jobs ----------------------------------------------------------------------------------------

static void let_go(wf_obj *obj) { (void)wf_obj_release(&((wf_job *)obj)->held); }

static void destroy(wf_obj *obj) {
  wf_job *job = (wf_job *)obj;
  wf_vm_drop_anchor(obj->vm, job->future);
  wf_message_free(&job->results);
}

// Its Future has the queue of those who wait.
static void visit(wf_obj *obj, struct wf_mark *m) {
  const wf_job *job = (const wf_job *)obj;
  if (job->future != LUA_NOREF) wf_mark_anchor(m, job->future);
}

static const wf_kind kind = {
    .name = "job", .size = sizeof(wf_job), .destroy = destroy, .let_go = let_go, .visit = visit};
static const char tag_job;

static void open_answer(wf_mail *mail);

wf_job *wf_job_new(wf_vm *vm, lua_State *L) {
  wf_job *job = (wf_job *)wf_obj_new(vm, L, &kind, &tag_job);
  job->future = LUA_NOREF;
  job->mail.open = open_answer;
  lua_insert(L, -2);
  job->future = wf_vm_anchor(vm, L);
  return job;
}

typedef struct answer_call {
  wf_vm *vm;
  wf_job *job;
} answer_call;

static int answer_protected(lua_State *L) {
  answer_call *call = lua_touserdata(L, 1);
  wf_vm *vm = call->vm;
  luaL_checkstack(L, LUA_MINSTACK, "too many results");
  (void)wf_codec_open(vm, L);
  wf_vm_push_ref(vm, L, WF_REF_RAW);
  lua_getfield(L, -1, "settle_job");
  wf_vm_push_anchor(vm, L, call->job->future);
  int first = lua_gettop(L) + 1;
  lua_pushboolean(L, call->job->state == WF_JOB_DONE);
  if (call->job->state == WF_JOB_LOST) {
    lua_pushliteral(L, "not enough memory");
    lua_pushliteral(L, "");
  } else if (!wf_codec_unpack(vm, L, &call->job->results)) {
    lua_pushboolean(L, 0);
    lua_replace(L, first);
    lua_settop(L, first + 1);
    lua_pushliteral(L, "");
  }
  lua_call(L, lua_gettop(L) - first + 2, 0);
  return 0;
}

static void open_answer(wf_mail *mail) {
  wf_job *job = wf_container_of(mail, wf_job, mail);
  answer_call call = {.vm = job->obj.vm, .job = job};
  if (lua_cpcall(call.vm->L, answer_protected, &call) != 0) wf_runtime_fail(call.vm);
  let_go(&job->obj);
}

// The place of a blocking call is free again, before the caller goes on: calls that one task makes
// one after the other need one thread.
static void post_answer(wf_vm *vm, wf_job *job) {
  if (vm->worker->index >= vm->rt->workers->count) wf_blocking_done(vm->worker);
  wf_worker_post(job->obj.vm->worker, &job->mail);
}

bool wf_job_answer(wf_vm *vm, lua_State *L, wf_job *job, bool ok, int first) {
  wf_message m;
  if (!wf_codec_pack(vm, L, first, lua_gettop(L) - first + 1, WF_PACK_RESULTS, &m)) return false;
  job->results = m;
  job->state = ok ? WF_JOB_DONE : WF_JOB_FAILED;
  post_answer(vm, job);
  return true;
}

void wf_job_fail(wf_vm *vm, wf_job *job) { post_answer(vm, job); }
