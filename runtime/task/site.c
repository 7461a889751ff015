// SPDX-License-Identifier: MIT
#include "task/site.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "sched/runtime.h"

typedef struct wf_site {
  int line;
  char text[LUA_IDSIZE + 12];
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

static bool same_site(const wf_site *site, const lua_Debug *ar) {
  size_t n = strlen(ar->short_src);
  return site->line == ar->currentline && memcmp(site->text, ar->short_src, n) == 0 &&
         site->text[n] == ':';
}

static uint32_t add_site(wf_vm *vm, const lua_Debug *ar) {
  wf_sites *sites = &vm->sites;
  for (uint32_t i = 0; i < sites->count; i++) {
    if (same_site(&sites->list[i], ar)) return i + 1;
  }
  if (sites->count == MAX_SITES) return 0;
  if (sites->count == sites->capacity) {
    uint32_t capacity = sites->capacity != 0 ? sites->capacity * 2 : 16;
    wf_site *list = wf_mem_resize(&vm->rt->mem, sites->list, sites->capacity * sizeof *list,
                                  capacity * sizeof *list);
    if (list == NULL) return 0;
    sites->list = list;
    sites->capacity = capacity;
  }
  wf_site *site = &sites->list[sites->count++];
  site->line = ar->currentline;
  (void)snprintf(site->text, sizeof site->text, "%s:%d", ar->short_src, ar->currentline);
  return sites->count;
}

uint32_t wf_site_here(wf_vm *vm, lua_State *L) {
  lua_Debug ar;
  if (!wf_site_find(L, 1, &ar)) return 0;
  wf_sites *sites = &vm->sites;
  uintptr_t key = (uintptr_t)ar.source / 8 + (uintptr_t)ar.currentline;
  uint32_t *cached = &sites->cache[key % (sizeof sites->cache / sizeof sites->cache[0])];
  if (*cached == 0 || !same_site(&sites->list[*cached - 1], &ar)) *cached = add_site(vm, &ar);
  return *cached;
}

const char *wf_site_text(const wf_vm *vm, uint32_t site) {
  return site != 0 ? vm->sites.list[site - 1].text : "?";
}

void wf_sites_free(wf_vm *vm) {
  wf_mem_free(&vm->rt->mem, vm->sites.list, vm->sites.capacity * sizeof(wf_site));
  vm->sites = (wf_sites){0};
}
