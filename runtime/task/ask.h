// SPDX-License-Identifier: MIT
// Asking all other VMs for their tasks. Each answers on its own thread, between two tasks; one
// that is busy with a task for longer than the asker waits is named with that task instead.
#ifndef WF_TASK_ASK_H
#define WF_TASK_ASK_H

#include <lua.h>

#include "sched/vm.h"

// Pushes an array of records of the live tasks of all other VMs, each with `stack`. Blocks the
// thread for at most 100 ms. Raises when memory is out. From tasks and between them.
void wf_ask_tasks(wf_vm *vm, lua_State *L);

// The number by which reports call a VM: 1 is the main VM.
int wf_ask_vm_number(const wf_vm *vm);

// The same of the VM for isolated tasks of the worker at that place.
int wf_ask_place_number(uint32_t place);

#endif
