// SPDX-License-Identifier: MIT
// Portable tasks: a function and its arguments as a message, until a worker starts it as a task of
// its VM; and jobs: portable tasks whose results somebody waits for.
//
// A job is an object of the VM that asked, held there until its results have come (task/obj.h), so
// that its end counts as something that can still happen. The task that does it knows it by its
// address.
// Symbols: wf_spawn, wf_job
#ifndef WF_TASK_SPAWN_H
#define WF_TASK_SPAWN_H

#include <lua.h>

#include "sched/runtime.h"
#include "sched/workers.h"
#include "task/message.h"
#include "task/obj.h"

typedef struct wf_job {
  wf_obj obj;
  wf_held held;
  wf_mail mail;                                            // its way back
  int future;                                              // wf_vm_anchor: who gets the results
  enum { WF_JOB_LOST, WF_JOB_DONE, WF_JOB_FAILED } state;  // lost: there was no memory to say more
  wf_message results;                                      // or error and traceback
} wf_job;

// Starts the function at index `first` of L's stack with the values above it as a portable task.
// `job` may be NULL; else it is the task's from now on. `call` names the caller in errors. Raises,
// and then nothing has happened: it cannot cross, no memory, no thread.
void wf_spawn(wf_vm *vm, lua_State *L, int first, wf_job *job, const char *call);

// The same for the function at first + 1, run by raw.run_counted with the waitgroup at `first`,
// which becomes shared.
void wf_spawn_counted(wf_vm *vm, lua_State *L, int first, const char *call);

// The two halves of it: packing, which raises, and, when that has been handed over, the count.
wf_portable *wf_spawn_pack(wf_vm *vm, lua_State *L, int first, wf_job *job, const char *call);
void wf_spawn_sent(wf_vm *vm, wf_job *job);

// Raises that there is no thread: the errno of pthread_create.
_Noreturn void wf_spawn_no_thread(lua_State *L, const char *call, int error);

// Pushes a job for the Future on top of L's stack (popped). It goes with its proxy unless it is
// spawned. Raises when memory is out.
wf_job *wf_job_new(wf_vm *vm, lua_State *L);

// In the VM where it was done: sends the values from index `first` on (results, or error and
// traceback) back. False: one of them cannot cross; why is on top of the stack, and the job
// is still to be answered. Raises when memory is out, likewise.
bool wf_job_answer(wf_vm *vm, lua_State *L, wf_job *job, bool ok, int first);

// The same where there is no memory for anything.
void wf_job_fail(wf_vm *vm, wf_job *job);

// wf_hooks.start_portable, wf_hooks.drop_portable.
void wf_spawn_start(wf_worker *worker, wf_portable *item);
void wf_spawn_drop(wf_runtime *rt, wf_portable *item);

#endif
