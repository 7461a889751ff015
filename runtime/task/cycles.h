// SPDX-License-Identifier: MIT
// Cores that only hold each other: channels in messages that lie in channels which nobody has any
// more. Counting never frees them, so now and then all cores are looked at.
//
// A core that has more references than there are to it in messages that lie in cores is
// somebody's: of a stub, of a task that waits, of a message on its way. So is what it holds, and
// what that holds. The rest is garbage, unless one of them has been used since the look began: had
// a stub made, or a message that holds cores taken out of it. Nobody can begin to later, as nobody
// has them.
//
// All cores of the process are in one list: one that was made in one runtime may hold another's.
#ifndef WF_TASK_CYCLES_H
#define WF_TASK_CYCLES_H

#include "task/core.h"

// Other threads may look into the core from now on, under its lock: what it holds has been put
// there.
void wf_cycles_add(wf_core *core);

// Of the end of a core, whether it was added or not. Any thread.
void wf_cycles_remove(wf_core *core);

// How many cores there are.
size_t wf_cycles_count(void);

// A stub has gone, and its core has not: it may be garbage from now on. Any thread.
void wf_cycles_note(void);

// Frees what is garbage, as far as there is memory to find it with. Any thread that holds no lock.
void wf_cycles_collect(void);

// The same when there are twice as many cores as after the last time; or, where the thread has
// nothing else to do, when there are any more at all, or as many stubs have gone since then as
// half of the cores that are left: so a look costs no more than what led to it.
void wf_cycles_collect_if_due(bool idle);

#endif
