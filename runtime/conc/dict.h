// SPDX-License-Identifier: MIT
// The core of a map of weft.sync that has crossed to another VM: a hash table, with keys that are
// booleans, numbers or strings, and values in boxes. Nothing here knows of Lua, and everything may
// be called by any thread that has a reference.
//
// One lock covers all of it: it is held for a look at one slot, while values are packed and
// unpacked outside. Boxes that are returned are the caller's.
#ifndef WF_CONC_DICT_H
#define WF_CONC_DICT_H

#include "conc/box.h"
#include "task/core.h"

typedef enum wf_dict_kind { WF_DICT_BOOLEAN, WF_DICT_NUMBER, WF_DICT_STRING } wf_dict_kind;

typedef struct wf_dict_key {
  wf_dict_kind kind;
  double number;     // or 0 or 1 of a boolean; not NaN
  const char *data;  // of a string
  size_t size;
} wf_dict_key;

typedef struct wf_dict_entry wf_dict_entry;

typedef struct wf_dict {
  wf_core core;
  wf_dict_entry **slots;  // a power of two of them; NULL: none yet
  size_t nslots, count;
  size_t carriers;   // values that hold cores
  size_t key_bytes;  // of all strings
} wf_dict;

typedef enum wf_dict_result { WF_DICT_NO, WF_DICT_YES, WF_DICT_NO_MEMORY } wf_dict_result;

// NULL when memory is out.
wf_dict *wf_dict_new(const wf_mem *mem, const wf_core_kind *kind);

// wf_core_kind.empty, and each
void wf_dict_empty(wf_core *core);
void wf_dict_each(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg);

// NULL: the key is not there.
wf_box *wf_dict_load(wf_dict *dict, const wf_dict_key *key);

// Puts the box there, in whose place `before` was (NULL: nothing). False: memory is out, the box
// still the caller's.
bool wf_dict_swap(wf_dict *dict, const wf_dict_key *key, wf_box *box, wf_box **before);

// Takes out what is there, or NULL.
wf_box *wf_dict_delete(wf_dict *dict, const wf_dict_key *key);

// The same as wf_dict_swap if nothing is there: YES. NO: `actual` is.
wf_dict_result wf_dict_add(wf_dict *dict, const wf_dict_key *key, wf_box *box, wf_box **actual);

// The same if what is there is equal to `old` (NULL: nothing is there). But for YES the box is
// still the caller's.
wf_dict_result wf_dict_compare_and_swap(wf_dict *dict, const wf_dict_key *key, const wf_box *old,
                                        wf_box *box);

size_t wf_dict_len(wf_dict *dict);

// Copies all keys: `n` of them into `keys`, their strings into `bytes`, which have room for
// `room_keys` and `room_bytes`. False: there is not enough room, and these say how much is needed.
bool wf_dict_keys(wf_dict *dict, wf_dict_key *keys, size_t *room_keys, char *bytes,
                  size_t *room_bytes, size_t *n);

#endif
