// SPDX-License-Identifier: MIT
#include "task/site.h"

#include <lauxlib.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/size.h"
#include "sched/runtime.h"
#include "task/frame.h"

typedef struct wf_site {
  int line;
  uint32_t hash;
  const char *kept;  // by the runtime, once somebody has asked for that
  char text[WF_SITE_BYTES];
} wf_site;

enum { MAX_SITES = 65536 };  // beyond: "?"; only generated code can get there

bool wf_site_is_own(const lua_Debug *ar) {
  return strncmp(ar->source, WF_OWN_CHUNK, sizeof WF_OWN_CHUNK - 1) == 0;
}

bool wf_site_find(lua_State *L, int level, lua_Debug *ar) {
  for (; lua_getstack(L, level, ar) != 0; level++) {
    if (lua_getinfo(L, "Sl", ar) == 0) return false;
    if (ar->currentline > 0 && !wf_site_is_own(ar)) return true;
  }
  return false;
}

void wf_site_push_where(lua_State *L) {
  lua_Debug ar;
  if (wf_site_find(L, 0, &ar)) {
    lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
  } else {
    lua_pushliteral(L, "");
  }
}

_Noreturn void wf_site_raise(lua_State *L, const char *message) {
  wf_site_push_where(L);
  lua_pushstring(L, message);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

static bool same_site(const wf_site *site, const lua_Debug *ar) {
  size_t n = strlen(ar->short_src);
  return site->line == ar->currentline && memcmp(site->text, ar->short_src, n) == 0 &&
         site->text[n] == ':';
}

// FNV-1a.
static uint32_t hash_of(const lua_Debug *ar) {
  uint32_t h = 2166136261U ^ (uint32_t)ar->currentline;
  for (const char *c = ar->short_src; *c != '\0'; c++) h = (h ^ (uint8_t)*c) * 16777619U;
  return h;
}

static void place(wf_sites *sites, uint32_t id, uint32_t hash) {
  uint32_t i = hash & (sites->slots - 1);
  while (sites->table[i] != 0) i = (i + 1) & (sites->slots - 1);
  sites->table[i] = id;
}

// Room for one more, with at least half of the table free. False when memory is out.
static bool grow(wf_vm *vm) {
  wf_sites *sites = &vm->sites;
  wf_mem *mem = &vm->rt->mem;
  if (sites->count < sites->slots / 2) return true;
  uint32_t slots = sites->slots != 0 ? sites->slots * 2 : WF_SIZE(32, 2);
  uint32_t *table = wf_mem_new(mem, slots * sizeof *table);
  if (table == NULL) return false;
  wf_monitor_lock(vm);
  sites->moving = true;
  atomic_signal_fence(memory_order_seq_cst);
  wf_site *list =
      wf_mem_resize(mem, sites->list, sites->slots / 2 * sizeof *list, slots / 2 * sizeof *list);
  if (list != NULL) sites->list = list;
  atomic_signal_fence(memory_order_seq_cst);
  sites->moving = false;
  wf_monitor_unlock(vm);
  if (list == NULL) {
    wf_mem_free(mem, table, slots * sizeof *table);
    return false;
  }
  wf_mem_free(mem, sites->table, sites->slots * sizeof *table);
  sites->table = table;
  sites->slots = slots;
  for (uint32_t id = 1; id <= sites->count; id++) place(sites, id, list[id - 1].hash);
  return true;
}

static uint32_t find_or_add(wf_vm *vm, const lua_Debug *ar) {
  wf_sites *sites = &vm->sites;
  uint32_t hash = hash_of(ar);
  for (uint32_t i = hash; sites->slots != 0; i++) {
    uint32_t id = sites->table[i & (sites->slots - 1)];
    if (id == 0) break;
    if (sites->list[id - 1].hash == hash && same_site(&sites->list[id - 1], ar)) return id;
  }
  if (sites->count == MAX_SITES || !grow(vm)) return 0;
  wf_site *site = &sites->list[sites->count++];
  site->line = ar->currentline;
  site->hash = hash;
  site->kept = NULL;
  (void)snprintf(site->text, sizeof site->text, "%s:%d", ar->short_src, ar->currentline);
  place(sites, sites->count, hash);
  return sites->count;
}

// Keeps the string of a chunk's name alive, so that its address stays the name's own.
static bool keep_source(wf_vm *vm, lua_State *L, const char *source) {
  lua_pushstring(L, source);
  bool same = lua_tostring(L, -1) == source;  // strings are interned; a stripped chunk has none
  if (same && vm->refs[WF_REF_SOURCES] == LUA_NOREF) {
    lua_newtable(L);
    wf_vm_set_ref(vm, L, WF_REF_SOURCES);
  }
  if (same) {
    wf_vm_push_ref(vm, L, WF_REF_SOURCES);
    lua_pushvalue(L, -2);
    lua_pushboolean(L, 1);
    lua_rawset(L, -3);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return same;
}

void wf_sites_open(wf_vm *vm, lua_State *L) { vm->sites.frames_known = wf_frame_is_known(L); }

static inline wf_site_entry *entry_of(wf_sites *sites, const char *source, int line) {
  return &sites->cache[((uintptr_t)source / 8 + (uintptr_t)line) % WF_SITE_CACHE];
}

uint32_t wf_site_here(wf_vm *vm, lua_State *L) {
  lua_Debug ar;
  wf_frame caller;
  wf_sites *sites = &vm->sites;
  if (WF_LIKELY(sites->frames_known && wf_frame_caller(L, &caller))) {
    const wf_site_entry *entry = entry_of(sites, caller.source, caller.line);
    if (WF_LIKELY(entry->source == caller.source && entry->line == caller.line)) {
      return entry->site;
    }
  }
  if (lua_getstack(L, 1, &ar) == 0 || lua_getinfo(L, "Sl", &ar) == 0) return 0;
  wf_site_entry *entry = entry_of(sites, ar.source, ar.currentline);
  if (entry->source == ar.source && entry->line == ar.currentline) return entry->site;
  bool direct = ar.currentline > 0 && !wf_site_is_own(&ar);
  if (!direct && !wf_site_find(L, 2, &ar)) return 0;
  uint32_t site = find_or_add(vm, &ar);
  if (direct && site != 0 && keep_source(vm, L, ar.source)) {
    *entry = (wf_site_entry){.source = ar.source, .line = ar.currentline, .site = site};
  }
  return site;
}

const char *wf_site_text(const wf_vm *vm, uint32_t site) {
  return site != 0 && !vm->sites.moving ? vm->sites.list[site - 1].text : "?";
}

void wf_site_copy(const wf_vm *vm, uint32_t site, char text[WF_SITE_BYTES]) {
  const char *from = wf_site_text(vm, site);
  memcpy(text, from, strlen(from) + 1);
}

uint32_t wf_site_named(wf_vm *vm, const char *text) {
  wf_sites *sites = &vm->sites;
  if (sites->named != 0 && strcmp(sites->list[sites->named - 1].text, text) == 0) {
    return sites->named;
  }
  lua_Debug ar;
  const char *colon = strrchr(text, ':');
  if (colon == NULL) return 0;
  size_t n = (size_t)(colon - text);
  memcpy(ar.short_src, text, n);
  ar.short_src[n] = '\0';
  ar.currentline = (int)strtol(colon + 1, NULL, 10);
  return sites->named = find_or_add(vm, &ar);
}

// In a list that only grows. Two threads that add the same text at a time leave both there.
typedef struct kept_text {
  struct kept_text *next;
  uint32_t hash;
  char text[WF_SITE_BYTES];
} kept_text;

const char *wf_site_kept(wf_vm *vm, uint32_t site) {
  if (site == 0) return NULL;
  wf_site *s = &vm->sites.list[site - 1];
  if (s->kept != NULL) return s->kept;
  wf_atomic_ptr *texts = &vm->rt->site_texts;
  kept_text *first = wf_ptr_load(texts, WF_ACQUIRE);
  for (const kept_text *e = first; e != NULL; e = e->next) {
    if (e->hash == s->hash && strcmp(e->text, s->text) == 0) return s->kept = e->text;
  }
  kept_text *entry = wf_mem_new(&vm->rt->mem, sizeof *entry);
  if (entry == NULL) return NULL;
  entry->hash = s->hash;
  memcpy(entry->text, s->text, sizeof entry->text);
  void *expected = first;
  do {
    entry->next = expected;
  } while (!wf_ptr_cas(texts, &expected, entry, WF_RELEASE));
  return s->kept = entry->text;
}

uint32_t wf_site_at(const wf_vm *vm, lua_State *L, int idx) {
  double n = lua_tonumber(L, idx);
  return n >= 1 && n <= vm->sites.count ? (uint32_t)n : 0;
}

void wf_site_texts_free(wf_runtime *rt) {
  kept_text *entry = wf_ptr_exchange(&rt->site_texts, NULL, WF_ACQUIRE);
  while (entry != NULL) {
    kept_text *next = entry->next;
    wf_mem_free(&rt->mem, entry, sizeof *entry);
    entry = next;
  }
}

void wf_sites_free(wf_vm *vm) {
  wf_sites *sites = &vm->sites;
  wf_mem_free(&vm->rt->mem, sites->list, sites->slots / 2 * sizeof(wf_site));
  wf_mem_free(&vm->rt->mem, sites->table, sites->slots * sizeof(uint32_t));
  vm->sites = (wf_sites){0};
}
