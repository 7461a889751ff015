// SPDX-License-Identifier: MIT
// Stacks as text. weft's own Lua frames are left out; user coroutines between a task and the call
// it waits in are shown, innermost first.
#ifndef WF_TASK_TRACE_H
#define WF_TASK_TRACE_H

#include <lua.h>

struct wf_vm;
struct wf_task;

// All of these push onto L and raise there when memory is out; `L` must not be the coroutine that
// is looked at, except in wf_trace_push_running.

// "stack traceback:\n\t…" of a coroutine that has died of the error at index `err` of L's stack.
void wf_trace_push_failed(lua_State *L, lua_State *co, int err);

// The same for a task that does not run: with the coroutines it is parked in.
void wf_trace_push_task(lua_State *L, struct wf_task *task);

// The coroutine that `co`, parked in our `resume`, has resumed.
lua_State *wf_trace_resumed_by(lua_State *co);

// For the task that runs now, from `level` of L on.
void wf_trace_push_running(struct wf_vm *vm, lua_State *L, int level);

// The stacks of the coroutines that the error value on top of L's stack came through before it
// reached the coroutine `co` (wf_trace_note_error), or "".
void wf_trace_push_error_path(struct wf_vm *vm, lua_State *L, const lua_State *co);

// Remembers that the coroutine `co` died of the error on top of L's stack. An error that goes on
// through several coroutines makes a path.
void wf_trace_note_error(struct wf_vm *vm, lua_State *L, lua_State *co);

// Remembers the stack of L, which is in a handler for the error on top of it.
void wf_trace_note_stack(struct wf_vm *vm, lua_State *L);

// The error on top of L's stack is the last noted one under a new position.
void wf_trace_renote_error(struct wf_vm *vm, lua_State *L);

// Where the innermost script frame of the task is: "file:line" or "?".
void wf_trace_push_where(lua_State *L, struct wf_task *task);

// The error value at idx as text: strings as they are, others by __tostring, and something
// readable when that fails.
void wf_trace_push_error_text(lua_State *L, int idx);

#endif
