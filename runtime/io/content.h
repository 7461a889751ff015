// SPDX-License-Identifier: MIT
// Whole files: read_file in one go on a thread, or at once when the file is small and all of it
// is in memory; write_file, in pieces, so that it can be given up in between.
#ifndef WF_IO_CONTENT_H
#define WF_IO_CONTENT_H

#include "io/call.h"

typedef struct wf_content_options {
  bool append, atomic;
  int64_t mode;  // permissions of a new file; -1: what the system gives it
} wf_content_options;

extern const wf_call_kind wf_content_read, wf_content_write;

// Pushes the caller of a read or write. What is to be written is read for as long as a task waits,
// and has to stay that long. Raises when memory is out.
void wf_content_new_read(wf_vm *vm, lua_State *L, const char *path);
void wf_content_new_write(wf_vm *vm, lua_State *L, const char *path, const char *data, size_t size,
                          const wf_content_options *options);

#endif
