// SPDX-License-Identifier: MIT
// What the command does about signals: SIGQUIT writes the stacks of all tasks to standard error
// and ends the program with status 131, SIGUSR1 writes them and goes on.
//
// Stacks can only be looked at between two tasks. When a task, or a call in C, has kept the thread
// for a second since the signal, a thread of ours says so instead; SIGQUIT then ends the program
// from there.
#ifndef HOST_SIGNALS_H
#define HOST_SIGNALS_H

#include <weft.h>

// config.on_interrupt of the runtime.
void signals_on_interrupt(void *ud);

// From now on signals are for `w`, which runs on the calling thread; NULL: they find nothing to
// look at. What the system refuses leaves their default actions in place.
void signals_watch(weft *w);

#endif
