// SPDX-License-Identifier: MIT
// Blocks to read into, all of one size: what comes lies there until the task that waits for it has
// taken it. The VM keeps some for reuse: freed, they would go back to the system and come again.
#ifndef WF_IO_BLOCK_H
#define WF_IO_BLOCK_H

#include "base/size.h"
#include "sched/vm.h"

enum { WF_BLOCK_SIZE = WF_SIZE(65536, 16), WF_BLOCK_MANY = WF_SIZE(64, 2) };

// NULL when memory is out.
char *wf_block_take(wf_vm *vm);

void wf_block_give(wf_vm *vm, char *block);

// Whether so many are in use that what is in one had better be copied.
static inline bool wf_block_is_short(const wf_vm *vm) { return vm->blocks.used > WF_BLOCK_MANY; }

// The VM is about to go, as all of its objects have.
void wf_block_free_all(wf_vm *vm);

#endif
