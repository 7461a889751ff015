// SPDX-License-Identifier: MIT
// LuaJIT's profiler as a way to get a VM out of compiled code: while it runs, traces look at a
// flag at every new line and return to the interpreter when it is set, and there we are called
// back between two instructions. It is one a process; the VM that wants it first has it until it
// is closed. Where SIGPROF is in use by somebody else, nobody has.
//
// LuaJIT's own timer is not used. ITIMER_PROF counts the processor time of the whole process and
// signals whichever thread is running, and each of its ticks disturbs the recorder, also when
// nobody waits. The monitor sends the signal to the one thread, when it is needed.
//
// What a signal can break: LuaJIT's handler rewrites the table of instruction handlers that the
// interrupted code may be rewriting (lj_dispatch_update, at both ends of each recording). The flag
// is then set and nothing answers it: traces return at their first look, the interpreter enters
// them again, for ever. (Seen once in 265,000 loops with 6,000 signals a second.) The count hook
// still comes round and calls wf_profiler_mend. With a count that never runs out, as would do for
// interrupting, such a loop would hang.
#ifndef WF_TASK_PROFILER_H
#define WF_TASK_PROFILER_H

#include <lua.h>
#include <pthread.h>

#include "sched/vm.h"

// Tries to get it for the VM. Flushes all traces: those compiled so far do not look. It goes on
// looking at the flag in those compiled from now on, which costs them little, until it is closed:
// stopping and starting would throw the compiled code away each time. Worker; L runs there.
void wf_profiler_claim(wf_vm *vm, lua_State *L);

// Gives it back if the VM has it. Worker.
void wf_profiler_release(wf_vm *vm);

// Has wf_preempt_look_now called on the thread, which runs the VM's tasks, if the VM has the
// profiler. Monitor, under its lock.
void wf_profiler_ask(const wf_vm *vm, pthread_t thread);

// To be called from a count hook on L: sees to it that a signal has been answered.
void wf_profiler_mend(wf_vm *vm, lua_State *L);

#endif
