// SPDX-License-Identifier: MIT
// weft.blocking: isolated tasks that may block their thread, each on a thread of its own from an
// elastic pool. At most WF_MAX_BLOCKING at a time; further calls wait, in order. A thread that has
// had none for five seconds ends. Each thread is a worker (sched/workers.h) with a VM of its own
// that only runs what it is given.
#ifndef WF_TASK_BLOCKING_H
#define WF_TASK_BLOCKING_H

#include "task/spawn.h"

// As wf_spawn, on such a thread.
void wf_blocking_start(wf_vm *vm, lua_State *L, int first, wf_job *job);

// The call that the worker was running has its answer: it takes the next one. Its own thread.
void wf_blocking_done(wf_worker *worker);

// False: there is a call for it. True: it will get none from here on. Its own thread.
bool wf_blocking_retire(wf_worker *worker);

// Frees the calls that never began (after wf_workers_stop).
void wf_blocking_drop_all(wf_runtime *rt);

#endif
