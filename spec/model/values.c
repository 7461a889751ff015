// SPDX-License-Identifier: MIT
#include "values.h"

#include <string.h>

#include "memory.h"
#include "model.h"

static struct actor {
  int sent;
  uint32_t accepted, received;                 // a bit for each of its own, and of anybody's
  int newest[VALUES_CHANNELS][VALUES_ACTORS];  // that it has got of each sender
} actors[VALUES_ACTORS];

void values_reset(void) {
  memset(actors, 0, sizeof(actors));
  for (int i = 0; i < VALUES_ACTORS; i++) memset(actors[i].newest, -1, sizeof(actors[i].newest));
}

int values_make(int sender) {
  MODEL_CHECK(actors[sender].sent < VALUES_EACH);
  return sender * VALUES_EACH + actors[sender].sent++;
}

void values_accept(int sender) { actors[sender].accepted |= 1U << (actors[sender].sent - 1); }

void values_got(int receiver, int channel, int value) {
  MODEL_CHECK(value >= 0 && value < VALUES_ACTORS * VALUES_EACH);
  for (int i = 0; i < VALUES_ACTORS; i++) {
    if (actors[i].received >> value & 1) model_fail("value %d comes twice", value);
  }
  actors[receiver].received |= 1U << value;
  int *newest = &actors[receiver].newest[channel][value / VALUES_EACH];
  if (value <= *newest) model_fail("value %d is out of order", value);
  *newest = value;
}

int values_count(int actor) {
  return __builtin_popcount(actors[actor].received) + __builtin_popcount(actors[actor].accepted);
}

uint64_t values_key(int actor) {
  const struct actor *a = &actors[actor];
  uint64_t own = memory_mix((uint64_t)a->sent, a->accepted);
  return memory_mix(own, a->received);
}

void values_end(void) {
  for (int i = 0; i < VALUES_MAIN; i++) {
    for (int j = 0; j < VALUES_CHANNELS * VALUES_ACTORS; j++) {
      int *newest = &actors[VALUES_MAIN].newest[0][0] + j;
      int other = (&actors[i].newest[0][0])[j];
      if (other > *newest) *newest = other;
    }
  }
}

void values_check(bool dropped, bool offered) {
  uint32_t received = 0, accepted = 0;
  for (int i = 0; i < VALUES_ACTORS; i++) {
    received |= actors[i].received;
    accepted |= actors[i].accepted << i * VALUES_EACH;
  }
  if ((accepted & ~received) != 0 && !dropped) model_fail("a value is lost");
  if ((received & ~accepted) != 0 && !offered) model_fail("a value comes that was refused");
}
