// SPDX-License-Identifier: MIT
// Places in scripts: who called, in which line, past weft's own Lua frames.
#ifndef WF_TASK_SITE_H
#define WF_TASK_SITE_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct wf_runtime;
struct wf_vm;

// Chunks with this prefix in their source are weft's own and are left out of reports.
#define WF_OWN_CHUNK "=[weft"

// Whether the frame that lua_getinfo(L, "S", ar) described is weft's own Lua code.
bool wf_site_is_own(const lua_Debug *ar);

// Fills `ar` with "Sl" of the innermost Lua frame that is not weft's, from `level` on. False when
// there is none.
bool wf_site_find(lua_State *L, int level, lua_Debug *ar);

// Pushes "file:line: " of the script's innermost frame, or "" when there is none.
void wf_site_push_where(lua_State *L);

// Raises with that position before the message.
_Noreturn void wf_site_raise(lua_State *L, const char *message);

// Finds out how to look for places.
void wf_sites_open(struct wf_vm *vm, lua_State *L);

// A number for the place in the script that is running now; 0 when it is not known. Places are
// kept for the life of the VM: a program has as many as it has calls of `go` in its text, and a
// small cache is before their table. Raises when memory is out.
uint32_t wf_site_here(struct wf_vm *vm, lua_State *L);

// "file:line", valid until the next place is seen; "?" for 0. Also from signal handlers on the
// thread of the VM.
const char *wf_site_text(const struct wf_vm *vm, uint32_t site);

enum { WF_SITE_BYTES = LUA_IDSIZE + 12 };

// The place as text for another VM, and the number there of a place that came as text (0: none, or
// memory is out).
void wf_site_copy(const struct wf_vm *vm, uint32_t site, char text[WF_SITE_BYTES]);
uint32_t wf_site_named(struct wf_vm *vm, const char *text);

// The text of a place, for other threads too and for the life of the runtime; NULL: not known, or
// memory is out. The thread of the VM.
const char *wf_site_kept(struct wf_vm *vm, uint32_t site);

// The number of a place that scripts could have written over, at idx; 0: it is none.
uint32_t wf_site_at(const struct wf_vm *vm, lua_State *L, int idx);

void wf_sites_free(struct wf_vm *vm);

// What was kept, when no VM is left.
void wf_site_texts_free(struct wf_runtime *rt);

#endif
