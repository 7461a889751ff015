// SPDX-License-Identifier: MIT
#include "fiber.h"

#include <stdint.h>

#if defined(__x86_64__)

// swapcontext saves the signal mask, which takes two system calls: more than all the rest.
void fiber_jump(void **from, void *to);
__asm__(
    ".text\n"
    ".globl fiber_jump\n"
    ".type fiber_jump, @function\n"
    "fiber_jump:\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, (%rdi)\n"
    "  mov %rsi, %rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
    "  ret\n"
    ".size fiber_jump, .-fiber_jump\n");

void fiber_make(fiber *f, char *stack, unsigned long size, void (*body)(void)) {
  uintptr_t top = ((uintptr_t)stack + size) & ~(uintptr_t)15;
  void **sp = (void **)top;
  *--sp = 0;  // where body would return to; and as after a call, 8 off 16
  *--sp = (void *)(uintptr_t)body;
  for (int i = 0; i < 6; i++) *--sp = 0;
  f->sp = sp;
}

void fiber_switch(fiber *from, fiber *to) { fiber_jump(&from->sp, to->sp); }

#else

void fiber_make(fiber *f, char *stack, unsigned long size, void (*body)(void)) {
  (void)getcontext(&f->context);
  f->context.uc_stack.ss_sp = stack;
  f->context.uc_stack.ss_size = size;
  f->context.uc_link = 0;
  makecontext(&f->context, body, 0);
}

void fiber_switch(fiber *from, fiber *to) { (void)swapcontext(&from->context, &to->context); }

#endif
