// SPDX-License-Identifier: MIT
// An open file. Its calls stand in line (io/call.h), so that each is a whole: no other read, write
// or seek comes between its pieces. What is in memory is read at once, without a thread, when
// nobody stands in line.
//
// The position is weft's own, and moves when a result is delivered: a read that was given up has
// taken nothing. Where there are no positions (pipes, terminals) what was read for somebody who
// waits no more is kept for the next. Lines are read in blocks; what lies in the block behind the
// line is used by the next read, until somebody seeks or writes.
//
// Who owns the descriptor: the file, and, while a call is made, the thread that makes it. A file
// that is closed meanwhile closes it when that has ended.
#ifndef WF_IO_FILE_H
#define WF_IO_FILE_H

#include <stdint.h>

#include "base/vec.h"
#include "io/call.h"

typedef struct wf_file {
  wf_event event;  // nobody waits on it: for its base alone
  wf_turns turns;
  char *path;
  int fd;       // -1: closed
  bool closed;  // for scripts; the call that is being made may still use the descriptor
  bool seekable, appends, written;
  uint32_t site;  // wf_handle_site
  int64_t pos;
  wf_vec block;     // what has been read and not been delivered,
  size_t block_at;  // from here on
} wf_file;

typedef enum wf_file_op {
  WF_FILE_READ,  // up to `size` bytes
  WF_FILE_LINE,
  WF_FILE_READ_AT,  // up to `size` bytes from `offset`
  WF_FILE_WRITE,    // `size` bytes of `data`, which stays as long as the task waits
  WF_FILE_SEEK,     // to `offset`; `data`: from "set", "cur" or "end"
  WF_FILE_STAT,
  WF_FILE_SYNC,
  WF_FILE_TRUNCATE,  // to `size`
} wf_file_op;

typedef struct wf_file_args {
  wf_file_op op;
  int64_t offset, size;
  const char *data;
} wf_file_args;

// The file at idx; NULL when it is none.
wf_file *wf_file_at(lua_State *L, int idx);

// Pushes the caller of open(path, flags, mode); its result is the file. `is_template`: the last
// six letters of the path are made up, for a file that is not there yet; its path is a second
// result. Raises when memory is out.
void wf_file_new_open(wf_vm *vm, lua_State *L, const char *path, int flags, bool is_template);

// Pushes the caller of a call on it, which is not closed. Raises when memory is out.
void wf_file_new_call(lua_State *L, wf_file *file, const wf_file_args *args);

// The next line, when it lies in the block already: true, and it is pushed.
bool wf_file_push_line(lua_State *L, wf_file *file);

// Closes it: who waits gets nil and "closed", and what is being made goes on. What is left to be
// done may take its time: then that is pushed, as the caller of a call. False: nothing is, and
// *code is 0 or what the system says. `at_once`: in any case. Raises when memory is out; the file
// is closed then.
bool wf_file_close(lua_State *L, wf_file *file, bool at_once, int *code);

#endif
