// SPDX-License-Identifier: MIT
#include "states.h"

#include <stdlib.h>
#include <string.h>

static uint64_t *table;  // open addressing; 0: free
static uint64_t mask, count;

void states_clear(void) {
  free(table);
  table = NULL;
  mask = count = 0;
}

uint64_t states_count(void) { return count; }

static bool put(uint64_t key) {
  uint64_t i = key & mask;
  while (table[i] != 0 && table[i] != key) i = (i + 1) & mask;
  if (table[i] == key) return false;
  table[i] = key;
  return true;
}

static void grow(void) {
  uint64_t *old = table, slots = table == NULL ? 0 : mask + 1;
  mask = slots == 0 ? 4095 : 2 * slots - 1;
  table = calloc(mask + 1, sizeof(*table));
  if (table == NULL) abort();
  for (uint64_t i = 0; i < slots; i++) {
    if (old[i] != 0) (void)put(old[i]);
  }
  free(old);
}

bool states_add(uint64_t key) {
  if (table == NULL || 2 * count > mask) grow();
  if (!put(key == 0 ? 1 : key)) return false;
  count++;
  return true;
}
