// SPDX-License-Identifier: MIT
// Running a main task to the end of the program, and stepping without one.
#ifndef WF_TASK_MAIN_H
#define WF_TASK_MAIN_H

#include "sched/runtime.h"

// Runs the function at `fn` of L's stack with the values above it as the main task until it
// returns or the runtime ends otherwise. Pops them and pushes its `results`, if these are wanted
// (WF_END_MAIN), nothing (WF_END_HANDLED), or the report. Raises on L when memory is out before
// it starts, or when the results are too many. Not reentrant.
wf_end wf_main_run(wf_vm *vm, lua_State *L, int fn, bool results);

// Runs what is ready, for at most budget_s (0 or less: until nothing is). With dt_s >= 0 the VM's
// clock is virtual from now on and moves by that much. WF_RUNNING, or how the runtime ended, and
// then the report is pushed on L.
wf_end wf_main_step(wf_vm *vm, lua_State *L, double budget_s, double dt_s);

// Calls use(ud, …) with a report of lua/weft/internal/report.lua ("dump"), when there is one. Not
// while a task runs.
void wf_main_report(wf_vm *vm, const char *kind, void (*use)(void *ud, const char *text),
                    void *ud);

// wf_hooks.collect_idle.
bool wf_main_collect_idle(wf_vm *vm);

// Whether a run or a step is under way.
bool wf_main_busy(const wf_vm *vm);

#endif
