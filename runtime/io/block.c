// SPDX-License-Identifier: MIT
#include "io/block.h"

#include "sched/runtime.h"

char *wf_block_take(wf_vm *vm, size_t size) {
  char *block = vm->io_block;
  vm->io_block = NULL;
  return block != NULL ? block : vm->rt->mem.fn(vm->rt->mem.ud, NULL, 0, size);
}

void wf_block_give(wf_vm *vm, char *block, size_t size) {
  if (vm->io_block == NULL && !vm->closing && !vm->orphaned) {
    vm->io_block = block;
  } else {
    wf_mem_free(&vm->rt->mem, block, size);
  }
}

void wf_block_free(wf_vm *vm, size_t size) {
  wf_mem_free(&vm->rt->mem, vm->io_block, size);
  vm->io_block = NULL;
}
