// SPDX-License-Identifier: MIT
// Whole files: read_file in one go on a thread, or at once when the file is not too long and all
// of it is in memory, without even a call when it is small; write_file, in pieces, so that it can
// be given up in between.
#ifndef WF_IO_CONTENT_H
#define WF_IO_CONTENT_H

#include "io/call.h"

typedef struct wf_content_options {
  bool append, atomic;
  int64_t mode;  // permissions of a new file; -1: what the system gives it
} wf_content_options;

extern const wf_call_kind wf_content_read, wf_content_write;

// Pushes a small file that is in memory: true. Else it takes a call, which gets *fd: what has been
// opened, or -1. (What is no file must not be seen to open and close: somebody may write into a
// pipe.) Raises when memory is out, and then *fd is -1.
bool wf_content_read_now(lua_State *L, const char *path, int *fd);

// Pushes the caller of a read or write. What is to be written is read for as long as a task waits,
// and has to stay that long. `fd` is the call's from now on. Raises when memory is out.
void wf_content_new_read(wf_vm *vm, lua_State *L, const char *path, int fd);
void wf_content_new_write(wf_vm *vm, lua_State *L, const char *path, const char *data, size_t size,
                          const wf_content_options *options);

#endif
