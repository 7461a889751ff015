// SPDX-License-Identifier: MIT
// Child processes. Each is the first of a session of its own, so that it can be killed with all
// that it has started. The object is held until the child has ended and the system has been told
// so: no zombie is left, whether or not anybody waits.
#ifndef WF_IO_PROCESS_H
#define WF_IO_PROCESS_H

#include "conc/after.h"
#include "io/event.h"
#include "io/stream.h"

typedef struct wf_process_watcher wf_process_watcher;

typedef struct wf_process {
  wf_event event;               // its end
  wf_process_watcher *watcher;  // while it runs
  wf_after_call leash;          // kills it when the context ends that it was started under
  int pid;
  bool ended;
  int64_t code;
  int signal;
} wf_process;

// What one of its three standard streams is.
typedef struct wf_process_stdio {
  wf_stream *pipe;  // our end, not opened yet; NULL: none
  int fd;           // else the child's; -1: nowhere
} wf_process_stdio;

typedef struct wf_process_options {
  char **args, **env;  // NULL-terminated; env NULL: ours
  const char *cwd;     // NULL: ours
  wf_process_stdio stdio[3];
} wf_process_options;

// Pushes a new process, not started. Raises when memory is out.
wf_process *wf_process_new(wf_vm *vm, lua_State *L);

// The process at idx; NULL when it is none.
wf_process *wf_process_at(lua_State *L, int idx);

// Starts it: 0, or a libuv error code, and then there is none. Raises nothing.
int wf_process_start(wf_process *process, const wf_process_options *options);

// The end of the context kills it, with its group, until it has ended.
void wf_process_bind(wf_process *process, wf_ctx *ctx);

// Sends it a signal, or all of its session's first group: 0, or a libuv error code.
int wf_process_kill(const wf_process *process, int signal, bool group);

#endif
