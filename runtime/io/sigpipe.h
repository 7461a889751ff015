// SPDX-License-Identifier: MIT
// A write to a connection whose peer has gone is an error of that write alone. What a program
// prints with print or io.write to a pipe that nobody reads any more still ends it by SIGPIPE, as
// is usual, and so does a write of a host that uses weft as a library: the signal is not ignored
// (which children would inherit), but has a handler that lets weft's own writes go on and does the
// default otherwise. It is installed with the first stream of a process in which SIGPIPE is at its
// default; threads of workers have all signals blocked.
#ifndef WF_IO_SIGPIPE_H
#define WF_IO_SIGPIPE_H

#include <stdbool.h>

void wf_sigpipe_init(void);

// Around writes of weft's own. What the first returns goes to the second.
bool wf_sigpipe_enter(void);
void wf_sigpipe_leave(bool before);

#endif
