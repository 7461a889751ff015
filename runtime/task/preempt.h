// SPDX-License-Identifier: MIT
// Interrupting tasks that have asked for it (weft.preempt, --preempt), and only these, between any
// two instructions of their Lua code.
//
// Who decides: the monitor (sched/monitor.c). When a slice has lasted for 10 ms and others wait,
// it writes the slice's number into preempt.nudge. Who acts: a count hook, which stays in the VM
// as long as a task there may be interrupted. It is called every HOOK_COUNT interpreted
// instructions, and where it finds its own slice's number it yields. In VMs for isolated tasks,
// which no monitor watches, the hook looks at the clock itself. Compiled code calls no hooks.
// To get it out of there is the business of LuaJIT's profiler, whose signal makes traces return to
// the interpreter and then calls us back between two instructions, where the hook's count can be
// lowered to 1. The profiler is one a process, so one main VM at a time has it; elsewhere compiled
// loops are not interrupted.
//
// The hook does nothing: outside of tasks, or where the chain of coroutines has a C function in it
// (wf_can_park); in weft's own Lua code, which relies on being left alone; in finalisers and other
// hooks (LuaJIT calls no hook there). A hook that a script has set is never replaced. LuaJIT makes
// room on the stack for a hook: where memory is out for that, the script gets its usual error.
//
// A yield from a hook carries no values, so that the coroutine's stack is empty, as after
// coroutine.yield(). What it was is kept in preempt.caught until lua_resume returns, and from then
// on a value on its stack says that it waits.
//
// Not every instruction is in its function: when a trace returns to a RET that other traces start
// at, LuaJIT has the interpreter execute the copy of it in the trace (lj_trace_exit). A coroutine
// that stays there is lost when the traces are flushed and collected. So its place is looked at
// before anything else happens: LuaJIT finds no line for an instruction that lies elsewhere. Then
// the coroutine is resumed at once, for one instruction more (wf_preempt_goes_on). It finds none
// either where code has no line numbers (string.dump(fn, true)), which is never interrupted.
#ifndef WF_TASK_PREEMPT_H
#define WF_TASK_PREEMPT_H

#include <lua.h>
#include <pthread.h>
#include <stdbool.h>

#include "base/check.h"
#include "sched/vm.h"

struct wf_task;

// The running task may be interrupted from now on. NULL, or why it cannot. L must be the running
// coroutine; raises there when memory is out.
const char *wf_preempt_allow(wf_vm *vm, lua_State *L);

// The running task may not be interrupted any more.
void wf_preempt_forbid(wf_vm *vm);

// Every task of the VM may be interrupted (wf_runtime.preempt_all). Between tasks.
void wf_preempt_start(wf_vm *vm);

// Puts the hook back into a VM where it belongs (preempt.on): a script may have set its own, and
// taken it away. Between tasks.
void wf_preempt_refresh(wf_vm *vm);

// A task that could be interrupted has ended.
void wf_preempt_ended(wf_vm *vm);

// lua_resume(co) has returned LUA_YIELD: true if it is to be resumed at once, without values.
bool wf_preempt_step(wf_vm *vm, lua_State *co);
static inline bool wf_preempt_goes_on(wf_vm *vm, lua_State *co) {
  return WF_UNLIKELY(vm->preempt.caught == co) && wf_preempt_step(vm, co);
}

// lua_resume(co) has returned LUA_YIELD, and the task has not parked: true if the hook has
// interrupted it, and then it is ready again.
bool wf_preempt_caught(wf_vm *vm, struct wf_task *task, lua_State *co);

// Whether the VM's hook is ours.
bool wf_preempt_has_hook(const wf_vm *vm);

// Makes our hook come round at its usual count.
void wf_preempt_set_count(wf_vm *vm, lua_State *L);

// Has the hook called before the next instruction if there is a reason to. Only from the
// profiler's sample, on the coroutine that it is of.
void wf_preempt_look_now(wf_vm *vm, lua_State *L);

// wf_hooks.nudge.
void wf_preempt_nudge(wf_vm *vm, pthread_t thread);

// Takes hook and profiler back, for good.
void wf_preempt_close(wf_vm *vm);

#endif
