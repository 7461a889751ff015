// SPDX-License-Identifier: MIT
// What to do before a long sleep: find out whether the timers that are left can matter to anybody.
#ifndef WF_CONC_SETTLE_H
#define WF_CONC_SETTLE_H

#include "sched/vm.h"

// When nothing but timers could wake anybody, and only timers whose channels or contexts nobody
// waits for, collects once: it may be that nobody can refer to them any more, and without work
// there is no garbage to start a collection. Collected ones stop, and keep no deadlock from being
// found (wf_hooks.settle).
void wf_settle(wf_vm *vm);

#endif
