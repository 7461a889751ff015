// SPDX-License-Identifier: MIT
#include "task/ask.h"

#include <lauxlib.h>

#include "base/check.h"
#include "sched/runtime.h"
#include "sched/workers.h"
#include "task/codec.h"
#include "task/guard.h"
#include "task/site.h"
#include "task/task.h"

enum { WAIT_NS = 100000000 };

// A question, which the asker and the one who is asked have together.
typedef struct question {
  wf_mail mail;
  wf_worker *worker;  // who is asked
  bool of_main;       // for the main VM's tasks, else for isolated ones
  wf_mem mem;
  wf_lock lock;  // of what follows; WF_RANK_LEAF
  pthread_cond_t changed;
  bool answered, left;  // left: the asker waits no more
  wf_message answer;    // an array of records; empty: there is no VM, or no memory
} question;

// What became of one.
typedef struct reply {
  uint32_t worker;
  bool in_time;
  wf_message answer;
} reply;

typedef struct asking {
  wf_vm *vm;
  uint32_t n;
  reply *replies;
  question **questions;
} asking;

int wf_ask_vm_number(const wf_vm *vm) {
  return vm == &vm->rt->vm ? 1 : wf_ask_place_number(vm->worker->index);
}

int wf_ask_place_number(uint32_t place) { return (int)place + 2; }

static void free_question(question *q) {
  wf_mem mem = q->mem;
  wf_message_free(&q->answer);
  (void)pthread_cond_destroy(&q->changed);
  wf_lock_close(&q->lock);
  wf_mem_free(&mem, q, sizeof *q);
}

typedef struct gather_call {
  wf_vm *vm;
  wf_message *m;
} gather_call;

static int gather(lua_State *L) {
  gather_call *call = lua_touserdata(L, 1);
  wf_vm_push_ref(call->vm, L, WF_REF_REPORT);
  lua_pushliteral(L, "gather");
  lua_call(L, 1, 1);
  if (!wf_codec_pack(call->vm, L, lua_gettop(L), 1, WF_PACK_VALUES, call->m)) lua_error(L);
  return 0;
}

// On the VM's own thread.
static wf_message answer_of(wf_vm *vm) {
  wf_message m = {0};
  gather_call call = {.vm = vm, .m = &m};
  if (vm != NULL && wf_vm_call_protected(vm, gather, &call) != 0) lua_pop(vm->L, 1);
  return m;
}

static void open_question(wf_mail *mail) {
  question *q = wf_container_of(mail, question, mail);
  wf_message m = answer_of(q->of_main ? q->worker->vm : q->worker->isolated);
  wf_lock_acquire(&q->lock);
  q->answer = m;
  q->answered = true;
  bool left = q->left;
  (void)pthread_cond_signal(&q->changed);
  wf_lock_release(&q->lock);
  if (left) free_question(q);
}

static question *ask(wf_worker *worker, bool of_main) {
  wf_mem *mem = &worker->rt->mem;
  question *q = wf_mem_new(mem, sizeof *q);
  if (q == NULL) return NULL;
  q->mail.open = open_question;
  q->worker = worker;
  q->of_main = of_main;
  q->mem = *mem;
  wf_lock_init(&q->lock, WF_RANK_LEAF);
  wf_lock_cond_init(&q->changed);
  wf_worker_post(worker, &q->mail);
  return q;
}

// Waits for the answer until then.
static void await(question *q, const struct timespec *until, reply *r) {
  int rc = 0;
  wf_lock_acquire(&q->lock);
  while (!q->answered && rc == 0) {
    rc = pthread_cond_timedwait(&q->changed, &q->lock.mutex, until);
  }
  r->in_time = q->answered;
  q->left = !q->answered;
  if (r->in_time) {
    r->answer = q->answer;
    q->answer = (wf_message){0};
  }
  wf_lock_release(&q->lock);
  if (r->in_time) free_question(q);
}

// What can be said of a worker that does not answer.
static void push_busy(lua_State *L, uint32_t worker) {
  lua_createtable(L, 0, 8);
  lua_pushnumber(L, wf_ask_place_number(worker));
  lua_setfield(L, -2, "vm");
  lua_pushnumber(L, 0);
  lua_setfield(L, -2, "id");
  lua_pushliteral(L, "running");
  lua_setfield(L, -2, "state");
  lua_pushnumber(L, 0);
  lua_setfield(L, -2, "since");
  lua_pushliteral(L, "?");
  lua_setfield(L, -2, "where");
  lua_pushfstring(L, "(worker %d is busy with a task: none of its tasks can be looked at)",
                  (int)worker);
  lua_setfield(L, -2, "stack");
  lua_pushliteral(L, "?");
  lua_setfield(L, -2, "created_by");
}

// Appends the records of the array on top of the stack, which is popped, to the one at `all`.
static void append(lua_State *L, int all) {
  int n = (int)lua_objlen(L, -1);
  for (int i = 1; i <= n; i++) {
    lua_rawgeti(L, -1, i);
    lua_rawseti(L, all, (int)lua_objlen(L, all) + 1);
  }
  lua_pop(L, 1);
}

static int collect(lua_State *L, void *ud) {
  const asking *a = ud;
  lua_newtable(L);
  int all = lua_gettop(L);
  (void)wf_codec_open(a->vm, L);
  for (uint32_t i = 0; i < a->n; i++) {
    const reply *r = &a->replies[i];
    if (!r->in_time) {
      push_busy(L, r->worker);
      lua_rawseti(L, all, (int)lua_objlen(L, all) + 1);
    } else if (r->answer.count != 0) {
      if (!wf_codec_unpack(a->vm, L, &r->answer)) lua_error(L);
      append(L, all);
    }
  }
  return 1;
}

// Asks for the tasks of one VM; where its thread is this one, they are at hand.
static void ask_for(asking *a, wf_worker *worker, bool of_main) {
  const wf_vm *its = of_main ? worker->vm : NULL;
  bool here = worker == a->vm->worker;
  if (here && !of_main) its = worker->isolated;
  if (here && (its == a->vm || its == NULL)) return;
  reply *r = &a->replies[a->n];
  *r = (reply){.worker = worker->index, .in_time = here};
  if (here) r->answer = answer_of(of_main ? worker->vm : worker->isolated);
  a->questions[a->n] = here ? NULL : ask(worker, of_main);
  if (here || a->questions[a->n] != NULL) a->n++;
}

static void ask_all(asking *a) {
  wf_workers *workers = a->vm->rt->workers;
  struct timespec until = wf_lock_deadline(WAIT_NS);
  ask_for(a, workers->list[0], true);
  ask_for(a, workers->list[0], false);
  for (uint32_t i = 1; i < workers->places; i++) {
    // One without a thread has no VM. (Pairs with the start of the thread, under the lock.)
    wf_lock_acquire(&workers->lock);
    wf_worker *worker = workers->list[i];
    bool there = worker != NULL && worker->started && !worker->retired;
    wf_lock_release(&workers->lock);
    if (there) ask_for(a, worker, false);
  }
  for (uint32_t i = 0; i < a->n; i++) {
    if (a->questions[i] != NULL) await(a->questions[i], &until, &a->replies[i]);
  }
}

void wf_ask_tasks(wf_vm *vm, lua_State *L) {
  wf_workers *workers = vm->rt->workers;
  if (workers == NULL) {
    lua_newtable(L);
    return;
  }
  size_t n = workers->places + 1;
  asking a = {.vm = vm};
  a.replies = lua_newuserdata(L, n * (sizeof *a.replies + sizeof *a.questions));
  a.questions = (question **)(void *)(a.replies + n);
  ask_all(&a);
  int status = wf_guard(vm, L, collect, &a, 0, 1);
  for (uint32_t i = 0; i < a.n; i++) wf_message_free(&a.replies[i].answer);
  if (status != 0) lua_error(L);
  lua_replace(L, -2);
}
