// SPDX-License-Identifier: MIT
// A task's own context (weft.context's `run`): one for all of its calls that are given none.
//
// A scope is what one call of `run` gives its task; tasks that are started inside have it too
// (wf_task.own). It has a node of its own in the cancel tree, below the context's: that one
// `raises`. A call that is given no context waits on it (lib/arg.h: wf_arg_context), and when it
// ends the error is raised at the script's line: by C where the call begins, and by the Lua frame
// around the C function after a wait, as C functions have no continuation after a yield. The
// waker tells that frame by a third result, wf_ctx_ended. Calls that need not wait raise as well,
// so that code which always finds something to take can be stopped.
//
// What costs nothing where it is not used: vm->own is a hint, one load in each call, that the
// task that runs has a scope. Compiled code reads the same hint from a table (WF_REF_SCOPED).
//
// A door without that frame gives nil, the error and the mark, as if it had been given the
// context; the next call raises. So does a script that has kept a channel's `recv` from before
// the first `run` of the VM: only then does it get a frame (lua/weft/internal/chan.lua).
//
// Tried and given up: a count hook that raises at the first instruction after the wait. It needs
// no Lua frames; but `pcall(ch.recv, ch)` has returned by then, so that the error passes it by,
// and where a trace goes on behind a C call (stitching) the script runs on in machine code, which
// calls no hooks, with the results of a call that has failed.
//
// A task whose uncaught error is the one of its own context has been stopped, and has not failed:
// no panic. Clean-up runs under another scope that never ends: deferred calls (scope.lua: shield)
// and functions of after_func.
#ifndef WF_CONC_SCOPE_H
#define WF_CONC_SCOPE_H

#include "conc/context.h"
#include "task/own.h"

typedef struct wf_scope {
  wf_own own;              // first
  wf_ctx *node;            // counted
  struct wf_scope *outer;  // counted: what the task had before, or NULL
  lua_State *co;           // where `run` was called
} wf_scope;

// The node of the running task's own context, NULL: it has none, or no task runs. `vm` may be
// NULL.
static inline wf_ctx *wf_scope_node(const wf_vm *vm) {
  if (vm == NULL || vm->own == NULL || vm->current == NULL) return NULL;
  const wf_obj *own = vm->current->own;
  return own != NULL ? ((const wf_scope *)own)->node : NULL;
}

// Raises the error of the node, which has ended, at the script's line.
_Noreturn void wf_scope_raise(lua_State *L, const wf_ctx *node);

// The same for the error on top of L's stack, after a wait.
_Noreturn void wf_scope_raise_top(wf_vm *vm, lua_State *L);

// The running task gets the context at idx as its own; pushes the scope's proxy. Raises when
// memory is out.
void wf_scope_enter(wf_vm *vm, lua_State *L, int idx);

// Takes the scope whose proxy is at idx from the running task again, with those inside of it.
void wf_scope_leave(wf_vm *vm, lua_State *L, int idx);

// The same for all scopes that were entered in this coroutine, which is suspended or has ended.
void wf_scope_leave_coroutine(wf_vm *vm, const lua_State *co);

// Whether the running task has entered its scope in this coroutine.
bool wf_scope_is_in(const wf_vm *vm, const lua_State *co);

#endif
