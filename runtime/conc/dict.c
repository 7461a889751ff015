// SPDX-License-Identifier: MIT
#include "conc/dict.h"

#include <string.h>

#include "base/size.h"

struct wf_dict_entry {
  wf_dict_entry *next;  // in the same slot
  uint64_t hash;
  wf_box *box;
  wf_dict_key key;  // its string is behind the entry
};

enum { FIRST_SLOTS = WF_SIZE(16, 1) };

wf_dict *wf_dict_new(const wf_mem *mem, const wf_core_kind *kind) {
  return (wf_dict *)wf_core_new(mem, kind);
}

static size_t entry_size(const wf_dict_key *key) { return sizeof(wf_dict_entry) + key->size; }

void wf_dict_empty(wf_core *core) {
  wf_dict *dict = (wf_dict *)core;
  for (size_t i = 0; i < dict->nslots; i++) {
    wf_dict_entry *entry;
    while ((entry = dict->slots[i]) != NULL) {
      dict->slots[i] = entry->next;
      wf_box_unref(entry->box);
      wf_mem_free(&core->mem, entry, entry_size(&entry->key));
    }
  }
  if (dict->slots != NULL)
    wf_mem_free(&core->mem, dict->slots, dict->nslots * sizeof *dict->slots);
  dict->slots = NULL;
  dict->nslots = dict->count = dict->carriers = dict->key_bytes = 0;
}

void wf_dict_each(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg) {
  const wf_dict *dict = (const wf_dict *)core;
  for (size_t i = 0; i < dict->nslots && dict->carriers > 0; i++) {
    for (wf_dict_entry *e = dict->slots[i]; e != NULL; e = e->next) wf_box_each(e->box, fn, arg);
  }
}

static uint64_t mix(uint64_t h, uint64_t v) {
  h = (h ^ v) * 0x9e3779b97f4a7c15U;
  return h ^ (h >> 32);
}

static uint64_t hash_of(const wf_dict_key *key) {
  uint64_t h = mix((uint64_t)key->kind, key->size), v;
  if (key->kind != WF_DICT_STRING) {
    double number = key->number + 0.0;  // -0 is 0
    memcpy(&v, &number, sizeof v);
    return mix(h, v);
  }
  size_t i = 0;
  for (; i + sizeof v <= key->size; i += sizeof v) {
    memcpy(&v, key->data + i, sizeof v);
    h = mix(h, v);
  }
  v = 0;
  memcpy(&v, key->data + i, key->size - i);
  return mix(h, v);
}

static bool same_key(const wf_dict_key *a, const wf_dict_key *b) {
  if (a->kind != b->kind) return false;
  if (a->kind != WF_DICT_STRING) return a->number == b->number;
  return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

// Under the lock ------------------------------------------------------------------------------

// The link to the entry with the key; NULL: it is not there.
static wf_dict_entry **find_link(wf_dict *dict, const wf_dict_key *key, uint64_t hash) {
  if (dict->nslots == 0) return NULL;
  wf_dict_entry **at = &dict->slots[hash & (dict->nslots - 1)];
  while (*at != NULL && ((*at)->hash != hash || !same_key(&(*at)->key, key))) at = &(*at)->next;
  return *at != NULL ? at : NULL;
}

static wf_dict_entry *find(wf_dict *dict, const wf_dict_key *key, uint64_t hash) {
  wf_dict_entry **at = find_link(dict, key, hash);
  return at != NULL ? *at : NULL;
}

// Notes that the box is in there from now on, or is not any more.
static void count_in(wf_dict *dict, const wf_box *box) { dict->carriers += wf_box_has_cores(box); }

static void count_out(wf_dict *dict, const wf_box *box) {
  if (!wf_box_has_cores(box)) return;
  dict->carriers--;
  wf_core_use(&dict->core);
}

static wf_box *get(wf_dict *dict, wf_dict_entry *entry) {
  wf_box_ref(entry->box);
  if (wf_box_has_cores(entry->box)) wf_core_use(&dict->core);
  return entry->box;
}

static bool grow(wf_dict *dict) {
  size_t nslots = dict->nslots == 0 ? FIRST_SLOTS : 2 * dict->nslots;
  wf_dict_entry **slots = wf_mem_new(&dict->core.mem, nslots * sizeof(wf_dict_entry *));
  if (slots == NULL) return false;
  for (size_t i = 0; i < dict->nslots; i++) {
    wf_dict_entry *entry;
    while ((entry = dict->slots[i]) != NULL) {
      dict->slots[i] = entry->next;
      entry->next = slots[entry->hash & (nslots - 1)];
      slots[entry->hash & (nslots - 1)] = entry;
    }
  }
  if (dict->slots != NULL) {
    wf_mem_free(&dict->core.mem, dict->slots, dict->nslots * sizeof *dict->slots);
  }
  dict->slots = slots;
  dict->nslots = nslots;
  return true;
}

// The key is not there.
static bool insert(wf_dict *dict, const wf_dict_key *key, uint64_t hash, wf_box *box) {
  if (dict->count >= dict->nslots && !grow(dict)) return false;
  wf_dict_entry *entry = wf_mem_new(&dict->core.mem, entry_size(key));
  if (entry == NULL) return false;
  entry->hash = hash;
  entry->box = box;
  entry->key = *key;
  entry->key.data = (char *)(entry + 1);
  if (key->size > 0) memcpy(entry + 1, key->data, key->size);
  wf_dict_entry **slot = &dict->slots[hash & (dict->nslots - 1)];
  entry->next = *slot;
  *slot = entry;
  dict->count++;
  dict->key_bytes += key->size;
  count_in(dict, box);
  return true;
}

static wf_box *replace(wf_dict *dict, wf_dict_entry *entry, wf_box *box) {
  wf_box *before = entry->box;
  count_out(dict, before);
  count_in(dict, box);
  entry->box = box;
  return before;
}

static wf_box *cut_out(wf_dict *dict, wf_dict_entry **at) {
  wf_dict_entry *entry = *at;
  wf_box *box = entry->box;
  *at = entry->next;
  count_out(dict, box);
  dict->count--;
  dict->key_bytes -= entry->key.size;
  wf_mem_free(&dict->core.mem, entry, entry_size(&entry->key));
  return box;
}

// Operations ----------------------------------------------------------------------------------

wf_box *wf_dict_load(wf_dict *dict, const wf_dict_key *key) {
  uint64_t hash = hash_of(key);
  wf_lock_acquire(&dict->core.lock);
  wf_dict_entry *entry = find(dict, key, hash);
  wf_box *box = entry != NULL ? get(dict, entry) : NULL;
  wf_lock_release(&dict->core.lock);
  return box;
}

bool wf_dict_swap(wf_dict *dict, const wf_dict_key *key, wf_box *box, wf_box **before) {
  uint64_t hash = hash_of(key);
  bool ok = true;
  *before = NULL;
  wf_lock_acquire(&dict->core.lock);
  wf_dict_entry *entry = find(dict, key, hash);
  if (entry != NULL) {
    *before = replace(dict, entry, box);
  } else {
    ok = insert(dict, key, hash, box);
  }
  wf_lock_release(&dict->core.lock);
  return ok;
}

wf_box *wf_dict_delete(wf_dict *dict, const wf_dict_key *key) {
  uint64_t hash = hash_of(key);
  wf_lock_acquire(&dict->core.lock);
  wf_dict_entry **at = find_link(dict, key, hash);
  wf_box *box = at != NULL ? cut_out(dict, at) : NULL;
  wf_lock_release(&dict->core.lock);
  return box;
}

wf_dict_result wf_dict_add(wf_dict *dict, const wf_dict_key *key, wf_box *box, wf_box **actual) {
  uint64_t hash = hash_of(key);
  wf_dict_result result = WF_DICT_NO;
  *actual = NULL;
  wf_lock_acquire(&dict->core.lock);
  wf_dict_entry *entry = find(dict, key, hash);
  if (entry != NULL) {
    *actual = get(dict, entry);
  } else {
    result = insert(dict, key, hash, box) ? WF_DICT_YES : WF_DICT_NO_MEMORY;
  }
  wf_lock_release(&dict->core.lock);
  return result;
}

wf_dict_result wf_dict_compare_and_swap(wf_dict *dict, const wf_dict_key *key, const wf_box *old,
                                        wf_box *box) {
  uint64_t hash = hash_of(key);
  wf_box *before = NULL;
  wf_dict_result result = WF_DICT_NO;
  wf_lock_acquire(&dict->core.lock);
  wf_dict_entry *entry = find(dict, key, hash);
  if (entry == NULL) {
    if (old == NULL) result = insert(dict, key, hash, box) ? WF_DICT_YES : WF_DICT_NO_MEMORY;
  } else if (old != NULL && wf_box_equal(entry->box, old)) {
    before = replace(dict, entry, box);
    result = WF_DICT_YES;
  }
  wf_lock_release(&dict->core.lock);
  wf_box_unref(before);
  return result;
}

size_t wf_dict_len(wf_dict *dict) {
  wf_lock_acquire(&dict->core.lock);
  size_t n = dict->count;
  wf_lock_release(&dict->core.lock);
  return n;
}

static void copy_keys(const wf_dict *dict, wf_dict_key *keys, char *bytes) {
  for (size_t i = 0; i < dict->nslots; i++) {
    for (const wf_dict_entry *e = dict->slots[i]; e != NULL; e = e->next) {
      *keys = e->key;
      keys->data = bytes;
      if (e->key.size > 0) memcpy(bytes, e->key.data, e->key.size);
      bytes += e->key.size;
      keys++;
    }
  }
}

bool wf_dict_keys(wf_dict *dict, wf_dict_key *keys, size_t *room_keys, char *bytes,
                  size_t *room_bytes, size_t *n) {
  wf_lock_acquire(&dict->core.lock);
  bool fits = dict->count <= *room_keys && dict->key_bytes <= *room_bytes;
  if (fits) copy_keys(dict, keys, bytes);
  *n = dict->count;
  *room_keys = dict->count;
  *room_bytes = dict->key_bytes;
  wf_lock_release(&dict->core.lock);
  return fits;
}
