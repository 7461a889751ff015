// SPDX-License-Identifier: MIT
#include "io/block.h"

#include <string.h>

#include "sched/runtime.h"

// A free block begins with the address of the next one.
char *wf_block_take(wf_vm *vm) {
  char *block = vm->blocks.free;
  if (block != NULL) {
    memcpy(&vm->blocks.free, block, sizeof vm->blocks.free);
    vm->blocks.kept--;
  } else {
    block = vm->rt->mem.fn(vm->rt->mem.ud, NULL, 0, WF_BLOCK_SIZE);
    if (block == NULL) return NULL;
  }
  vm->blocks.used++;
  return block;
}

void wf_block_give(wf_vm *vm, char *block) {
  vm->blocks.used--;
  if (vm->blocks.kept >= WF_BLOCK_MANY || vm->closing || vm->orphaned) {
    wf_mem_free(&vm->rt->mem, block, WF_BLOCK_SIZE);
    return;
  }
  memcpy(block, &vm->blocks.free, sizeof vm->blocks.free);
  vm->blocks.free = block;
  vm->blocks.kept++;
}

void wf_block_free_all(wf_vm *vm) {
  while (vm->blocks.free != NULL) {
    char *block = vm->blocks.free;
    memcpy(&vm->blocks.free, block, sizeof vm->blocks.free);
    wf_mem_free(&vm->rt->mem, block, WF_BLOCK_SIZE);
  }
}
