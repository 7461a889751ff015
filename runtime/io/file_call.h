// SPDX-License-Identifier: MIT
// A call on a file, as file.c and file_read.c have it between them.
#ifndef WF_IO_FILE_CALL_H
#define WF_IO_FILE_CALL_H

#include <errno.h>
#include <sys/stat.h>

#include "base/size.h"
#include "io/file.h"

enum { WF_FILE_PIECE = WF_SIZE(1 << 20, 97) };  // of what is read or written

typedef struct wf_file_call {
  wf_call call;
  wf_file *file;  // of open: NULL
  wf_file_args args;
  int fd;
  int64_t pos;   // where to read or write; -1: wherever the system is
  wf_vec data;   // what was read, or is to be written
  size_t want;   // so many more bytes
  int64_t left;  // of what is to be written, behind this piece
  bool end;      // there is no more to read,
  bool eof;      // and there was nothing at all
  bool some;     // less will do; of open: the path is a template
  bool owns;     // closes the descriptor
  struct stat st;
  char *path;  // of open
  int flags;
} wf_file_call;

static inline wf_file_call *wf_file_call_of(wf_call *call) { return (wf_file_call *)call; }

static inline void wf_file_set_code(wf_call *call, int error) {
  call->code = uv_translate_sys_error(error);
}

// What lies in the block is no longer of use.
void wf_file_drop_block(wf_file *f);

// The call has been made: the descriptor is the file's alone. False: that is closed by now.
bool wf_file_come_back(wf_file_call *c);

// Reads, for wf_call_kind: on a thread; without one; what follows; the result. Those at an offset
// have nothing to do with the block.
void wf_file_run_read(wf_call *call);
bool wf_file_read_at_once(wf_call *call);
bool wf_file_more_to_read(wf_call *call, bool awaited);
bool wf_file_read_at_at_once(wf_call *call);
bool wf_file_after_read_at(wf_call *call, bool awaited);
int wf_file_push_data(lua_State *L, wf_call *call);

#endif
