// SPDX-License-Identifier: MIT
// Who has sent which values over channels, and who has got them: each that was accepted comes out
// once, no other does, and one sender's on one channel come in order.
#ifndef SPEC_MODEL_VALUES_H
#define SPEC_MODEL_VALUES_H

#include <stdbool.h>
#include <stdint.h>

// Threads, and MAIN for before and after; values of each; channels.
enum { VALUES_ACTORS = 4, VALUES_MAIN = VALUES_ACTORS - 1, VALUES_EACH = 8, VALUES_CHANNELS = 2 };

void values_reset(void);

// A new one of the sender's.
int values_make(int sender);

// The sender's last one has been accepted.
void values_accept(int sender);

void values_got(int receiver, int channel, int value);

// How many of its own have been accepted, and of anybody's it has got.
int values_count(int actor);

// Of all that the actor knows of its values.
uint64_t values_key(int actor);

// When all threads have ended: what MAIN gets from now on is newer than all they got.
void values_end(void);

// When MAIN has got all that was left. Somebody may have dropped some, or offered some that may
// have been refused.
void values_check(bool dropped, bool offered);

#endif
