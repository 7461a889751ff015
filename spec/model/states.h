// SPDX-License-Identifier: MIT
// A set of 64-bit numbers: the states that have been seen.
#ifndef SPEC_MODEL_STATES_H
#define SPEC_MODEL_STATES_H

#include <stdbool.h>
#include <stdint.h>

void states_clear(void);
uint64_t states_count(void);

// False: it was there.
bool states_add(uint64_t key);

#endif
