// SPDX-License-Identifier: MIT
// What tasks do with channels that have crossed, as they do it (conc/stub.c, conc/select.c), with
// the shipped waits (task/remote.c, conc/wait_all.c). Each thread is a task on a worker of its
// own. The letters are those of shared_model.c.
#ifndef SPEC_MODEL_USERS_H
#define SPEC_MODEL_USERS_H

#include "conc/shared.h"
#include "values.h"

enum { CHANNELS = VALUES_CHANNELS };

extern wf_shared *users_channels[CHANNELS];
extern wf_core *users_core;  // what messages hold
// Whether a thread's last try found something; whether it saw the flag.
extern bool users_found[VALUES_ACTORS], users_saw[VALUES_ACTORS];

// In setup: channels of these capacities, with so many values in the first one. In finish: takes
// out what is left, and frees all.
void users_setup(const uint32_t *limits, uint32_t filled);
void users_end(void);

// Of the thread that runs: who it is among the actors of values.h.
int users_me(void);

// Before a thread does something: where it is in its program is, with what it has of channels, all
// that it keeps.
void users_forget(int at);

void users_send(wf_shared *ch, char what);
void users_try_send(wf_shared *ch, char what);
void users_recv(wf_shared *ch, char what);
void users_try_recv(wf_shared *ch, char what);
void users_select(char what, int at);
void users_close(wf_shared *ch, char what);

#endif
