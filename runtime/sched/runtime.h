// SPDX-License-Identifier: MIT
// A runtime: what all of a program's VMs and workers have in common. Several may live in one
// process; they share nothing.
#ifndef WF_SCHED_RUNTIME_H
#define WF_SCHED_RUNTIME_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/mem.h"
#include "sched/monitor.h"
#include "sched/vm.h"
#include "sched/worker.h"

// How a runtime came to its end.
typedef enum wf_end {
  WF_RUNNING,
  WF_END_MAIN,      // the main task returned
  WF_END_HANDLED,   // the main task failed, and weft.on_panic's function has seen to it
  WF_END_LOAD,      // a module that has to be there first is not
  WF_END_PANIC,     // an error nobody caught
  WF_END_DEADLOCK,  // no task can ever run again
} wf_end;

// What lower floors need from higher ones; api.c fills it in.
struct wf_runtime;
struct wf_portable;
struct wf_workers;
struct wf_isolated;
struct wf_faces;

typedef struct wf_hooks {
  // Runs up to `max` ready tasks of the VM.
  void (*run_batch)(wf_vm *vm, uint32_t max);
  // Nothing is ready and only timers that a collection might remove are armed: collects when that
  // can help.
  void (*settle)(wf_vm *vm);
  // The host wants a word between two tasks.
  void (*interrupt)(struct wf_runtime *rt);
  // The VM of the runtime is orphaned and its last object has gone.
  void (*last_object_gone)(struct wf_runtime *rt);
  // From the monitor, under its lock: has the worker's thread look into the slice preempt.nudge as
  // soon as it can.
  void (*nudge)(wf_vm *vm, pthread_t thread);
  // From the monitor, under its lock: copies what the struct of the running task says.
  void (*peek_hog)(wf_vm *vm, const struct wf_task *task, wf_hog *hog);
  // From the monitor: reports a slice that goes on.
  void (*say_hog)(struct wf_runtime *rt, const wf_hog *hog);
  // From the worker, between tasks: reports a slice that is over.
  void (*report_hog)(wf_vm *vm, const wf_hog *hog);
  // Starts a portable task in the worker's VM for isolated tasks; its memory goes along.
  void (*start_portable)(struct wf_worker *worker, struct wf_portable *item);
  // Frees one that will never start.
  void (*drop_portable)(struct wf_runtime *rt, struct wf_portable *item);
  // Makes the worker's VM for isolated tasks. False: no memory.
  bool (*open_isolated)(struct wf_worker *worker);
  // The VM has nothing to do: takes a step of a collection, if there is reason for one since the
  // last. True when it did.
  bool (*collect_idle)(wf_vm *vm);
  // What crosses as an object without being one.
  const struct wf_faces *faces;
  // A thread for blocking calls has had none for long: true when it ends, and its VM has gone.
  bool (*retire)(struct wf_worker *worker);
} wf_hooks;

typedef struct wf_runtime {
  wf_mem mem;
  const wf_hooks *hooks;
  wf_worker worker;  // worker 0: the thread of the main VM
  wf_vm vm;          // the main VM
  uint64_t seed;
  wf_atomic_u64 task_ids;         // given away so far, in blocks
  uint32_t nworkers;              // as configured; 0: as many as there are cores
  uint32_t (*count_cores)(void);  // wf_cores_available
  bool keep_free;                 // worker 0 runs no isolated tasks
  bool is_virtual;                // the time of all VMs is virtual
  struct wf_workers *workers;     // NULL until something is spawned (sched/workers.h)
  struct wf_isolated *isolated;   // what VMs for isolated tasks begin with (task/isolated.h)
  wf_end end;
  wf_monitor *monitor;  // NULL until it is wanted
  uint64_t hog_ns;      // a task that keeps the VM for longer is reported; 0: never
  bool preempt_all;     // every task may be interrupted
  bool warn_pending;    // list the tasks that the end of main cuts off
  bool warn_leaks;      // list the tasks that can never wake when main ends
  bool warn_unclosed;   // report handles that are collected without having been closed
  bool module_mode;     // the host is not weft: nothing here may end the process or replace stdio
  wf_mail out_of_memory;  // of another VM that has none for a report
  wf_atomic_u64 out_of_memory_posted;
  wf_atomic_ptr site_texts;  // places in scripts that all VMs may name (task/site.c)
  int oom_ref;               // the report when there is no memory to make one
  int panic_ref;             // in the main VM's registry: the text of the panic or deadlock report
  void (*log)(void *ud, const char *text);
  void *log_ud;
} wf_runtime;

// Sets what ended the runtime (the first one counts) and stops the main VM. The text on top of L's
// stack, a string, is kept for the report and popped. From another VM than the main one it takes
// effect when worker 0 opens its mail.
void wf_runtime_end(wf_vm *vm, lua_State *L, wf_end end);

// The same after a protected call of weft's own has failed with the value on top of the stack of
// vm->L: out of memory, or an error in somebody's finaliser.
void wf_runtime_fail(wf_vm *vm);

#endif
