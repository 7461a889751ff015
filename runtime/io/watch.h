// SPDX-License-Identifier: MIT
// Watching files and folders for changes. What happens is gathered until a task takes it, each
// thing once as long as it lies there, and up to a limit: beyond it all that is known is that
// something has happened.
#ifndef WF_IO_WATCH_H
#define WF_IO_WATCH_H

#include "io/event.h"

typedef struct wf_watch wf_watch;

// Pushes a new one, of nothing yet. Raises when memory is out.
wf_watch *wf_watch_new(wf_vm *vm, lua_State *L);

wf_watch *wf_watch_at(lua_State *L, int idx);

// Watches a file, or what is in a folder, as well. 0 or a libuv error code.
int wf_watch_add(wf_watch *watch, const char *path);

// Whether there is something to take, or nothing will ever come.
bool wf_watch_is_due(const wf_watch *watch);

// Pushes a list of what has happened, {path that is watched, name, "rename" or "change"},
// and whether more has than is in there. Nothing is pushed, and false returned, when it is closed.
// Raises when memory is out.
bool wf_watch_take(lua_State *L, wf_watch *watch);

// Ends it; who waits gets nil and "closed".
void wf_watch_close(wf_watch *watch);

// The same because nobody has it any more, which is reported when the runtime is asked to.
void wf_watch_collect(wf_watch *watch);

#endif
