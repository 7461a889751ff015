// SPDX-License-Identifier: MIT
// What api.c and module.c share: the runtime as the outside sees it.
#ifndef WF_API_H
#define WF_API_H

#include "conc/settle.h"
#include "include/weft.h"
#include "sched/runtime.h"
#include "task/obj.h"
#include "task/site.h"

struct weft {
  wf_runtime rt;
  weft_config config;
  lua_State *L;  // the state as the host knows it
  int main_fn;   // registry references: the loaded chunk,
  int requires;  // the modules to require before it,
  int args;      // the table of arguments
  int nargs;
  wf_end end;
  bool has_loop, has_vm;
  bool free_with_objects;  // nobody but its last objects has it (module.c)
  bool stuck;  // threads that run isolated tasks have not ended: nothing of theirs is freed
  char error[1024];
};

// Notes the words for weft_error; the status.
weft_status wf_api_fail(weft *w, weft_status status, const char *words);

// The same of a call that is for between runs.
weft_status wf_api_misuse(weft *w);

// Prepares a runtime without a Lua state in memory of the caller's.
void wf_api_init(weft *w, const weft_config *config);

// A new Lua state from the runtime's memory, or NULL.
lua_State *wf_api_new_state(wf_runtime *rt);

// wf_hooks.open_isolated, and the end of such a VM when its worker's thread has ended.
bool wf_api_open_isolated(wf_worker *worker);
void wf_api_close_isolated(wf_worker *worker);

// wf_hooks.retire.
bool wf_api_retire(wf_worker *worker);

// Puts it into the universe of L. After a failure only wf_api_free is left to call.
weft_status wf_api_attach(weft *w, lua_State *L);

// The first half of closing, while the Lua state still stands.
void wf_api_let_go(weft *w);

// Frees everything but the Lua state and the struct itself.
void wf_api_free(weft *w);

#endif
