// SPDX-License-Identifier: MIT
// Blocks to read into, which are needed for a moment each: the VM keeps one.
#ifndef WF_IO_BLOCK_H
#define WF_IO_BLOCK_H

#include <stddef.h>

#include "sched/vm.h"

// NULL when memory is out. `size` is the same for all of them.
char *wf_block_take(wf_vm *vm, size_t size);

void wf_block_give(wf_vm *vm, char *block, size_t size);

// The VM is about to go, as all of its objects have.
void wf_block_free(wf_vm *vm, size_t size);

#endif
