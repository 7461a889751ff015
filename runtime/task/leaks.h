// SPDX-License-Identifier: MIT
// Tasks that can never wake again. What can still run is marked (task/mark.h), with all that it
// leads to; when it leads to an object, the tasks that wait on that can be woken and are marked
// likewise, and so on. A parked task that is not marked in the end is leaked: nothing that can
// still run refers to what it waits on.
//
// What can run: tasks that are ready or run, or whose sleep ends; armed timers (wf_timer.owner);
// objects that are held because they act by themselves (wf_held). What it can refer to: the
// registry, with modules and globals; the metatables of basic types; the stacks of the host and of
// whoever asks. Whatever cannot be looked into counts as referring to everything, so that a task
// that can still wake is never among the leaked; the price is that some leaks are not found.
#ifndef WF_TASK_LEAKS_H
#define WF_TASK_LEAKS_H

#include "task/mark.h"

typedef struct wf_leaks {
  wf_mark mark;
  struct wf_task **tasks;  // those found, in the order of their numbers
  size_t count, capacity;
} wf_leaks;

// Finds the leaked tasks; `asker` is the coroutine that wants to know. In a protected call
// (wf_vm_call_protected) on its state L: raises there when memory is out. *leaks is zeroed before
// the call, and wf_leaks_free is due in any case.
void wf_leaks_find(wf_leaks *leaks, struct wf_vm *vm, lua_State *L, lua_State *asker);

// Ends those found, in the same protected call; main alone is left, as its end would be that of
// the program. Deferred calls run in their task, as a new turn of it; whoever awaits its Future
// gets an error with the text from the array of texts at index `traces` of L's stack. True when
// there were any such calls. When memory is out it raises and has ended nobody.
bool wf_leaks_reclaim(wf_leaks *leaks, lua_State *L, int traces);

void wf_leaks_free(wf_leaks *leaks);

#endif
