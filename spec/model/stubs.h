// SPDX-License-Identifier: MIT
// What the channel that has crossed needs of the rest of the runtime, as far as it matters there:
// locks, cores that are counted, tasks that are woken by mail. Lua is not there at all.
#ifndef SPEC_MODEL_STUBS_H
#define SPEC_MODEL_STUBS_H

#include "memory.h"
#include "sched/runtime.h"
#include "task/remote.h"

// A thread stands for a worker with one VM and one task.
typedef struct stub_worker {
  wf_worker worker;
  wf_vm vm;
  wf_task task;
  _Alignas(wf_waits) char extra[sizeof(wf_waits)];  // of the task
  wf_mail *mail;                                    // that has been posted, and not yet been taken
  wf_message message;                               // what wf_stub_pack packs
} stub_worker;

extern stub_worker stub_workers[THREADS];

// In setup, before all else. Each gets a wait and that many places: a VM keeps them.
void stubs_reset(void);
void stubs_fill(stub_worker *w, wf_core *core, int places);

// In finish: nobody has references any more, but the model's one.
void stubs_free(stub_worker *w);
void stubs_free_core(wf_core *core);

#endif
