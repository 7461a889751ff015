// SPDX-License-Identifier: MIT
// Calls on paths that are over with one answer: stat, rename and the like. The kinds of call that
// io/content and io/tree add to them work on the same struct.
#ifndef WF_IO_PATH_H
#define WF_IO_PATH_H

#include <sys/stat.h>

#include "base/vec.h"
#include "io/call.h"

typedef struct wf_path_call {
  wf_call call;
  char *path, *other;  // of wf_call_keep; may be NULL
  int64_t number;      // permissions
  bool flag;           // what an option of the call says
  struct stat st;
  wf_vec out;
} wf_path_call;

// Pushes the caller of a call on these paths; `other` may be NULL. Raises when memory is out.
wf_path_call *wf_path_new(wf_vm *vm, lua_State *L, const wf_call_kind *kind, const char *path,
                          const char *other);

// wf_call_kind.free and push of most: true.
void wf_path_free(wf_call *call);
int wf_path_push_true(lua_State *L, wf_call *call);

// Sets the call's code to 0, or to that of errno when rc is -1.
void wf_path_set_code(wf_call *call, int rc);

// Pushes {type=, size=, mtime=, …}.
void wf_path_push_stat(lua_State *L, const struct stat *st);

// "file", "directory", "link", …
const char *wf_path_type(mode_t mode);

extern const wf_call_kind wf_path_stat, wf_path_rename, wf_path_link, wf_path_symlink,
    wf_path_readlink, wf_path_chmod, wf_path_temp_dir;

#endif
