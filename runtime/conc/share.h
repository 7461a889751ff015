// SPDX-License-Identifier: MIT
// How a channel becomes shared, with the values that it has buffered and the tasks that wait on
// it.
#ifndef WF_CONC_SHARE_H
#define WF_CONC_SHARE_H

#include "task/promote.h"

extern const wf_share wf_share_chan;

// The parts of it that concern who waits, of whatever kind of object. Makes places in the core's
// queue for all who wait in the local one, in their order; raises what is in the way.
void wf_share_fill_queue(wf_promotion *p, lua_State *L, const wf_link *from, wf_core *core,
                         wf_link *queue);

// Of the commit: those in the core's queue wait there from now on, and no more in the local one.
void wf_share_requeue(wf_link *queue);

#endif
