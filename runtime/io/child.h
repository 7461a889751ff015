// SPDX-License-Identifier: MIT
// Starting a child without a copy of this process (posix_spawn), and a descriptor that tells of
// its end (pidfd). Measured before the choice, start and end of `true` on a busy machine: 1.0 to
// 1.4 ms, with uv_spawn's fork 1.8 to 3.3.
#ifndef WF_IO_CHILD_H
#define WF_IO_CHILD_H

#include <stdbool.h>

typedef struct wf_child {
  int pid;
  int fd;  // can be read when it has ended
} wf_child;

// Whether the system can do it: else there is uv_spawn.
bool wf_child_possible(void);

// Starts args[0], looked for in PATH, in a session of its own, with the three descriptors as its
// standard streams, in the folder `cwd` (NULL: ours) and with `env` (NULL: ours). 0 or an errno.
int wf_child_start(wf_child *child, char **args, char **env, const char *cwd, const int fds[3]);

// What the child ended with; false: it has not.
bool wf_child_reap(const wf_child *child, int *code, int *signal);

#endif
