// SPDX-License-Identifier: MIT
// What shipped files do with plain memory, seen through the calls that -fsanitize=thread puts
// before each access; the library that would answer them is not linked. So nobody has to say in a
// model what is plain data and who touches it when: accesses to what lies in the arena must not
// race, and are part of what a thread has read. Eight bytes are one variable.
#ifndef SPEC_MODEL_WATCH_H
#define SPEC_MODEL_WATCH_H

#include <stddef.h>
#include <stdint.h>

void watch_reset(void);

// The thread is about to read or write this.
void watch_read(const void *p, size_t size);
void watch_write(const void *p, size_t size);

// Of what has been changed since setup, for the key of a state.
uint64_t watch_key(void);

#endif
