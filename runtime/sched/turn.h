// SPDX-License-Identifier: MIT
// What a worker does when its first VM has nothing ready: run isolated tasks, start portable ones,
// steal, and at last sleep, as sched/idle.h has it.
#ifndef WF_SCHED_TURN_H
#define WF_SCHED_TURN_H

#include "sched/worker.h"

// Runs something, or sleeps until there may be more. False: the runtime is quiescent for good
// (worker 0 alone gets to hear of that), or the threads are to end.
bool wf_turn(wf_worker *worker);

// The same without sleeping: false when there is nothing to run. At most `max` tasks.
bool wf_turn_work(wf_worker *worker, uint32_t max);

// After a round of a busy worker's first VM: gives isolated and portable tasks a turn when they
// have had none for 10 ms.
void wf_turn_share(wf_worker *worker);

// The worker has something to do: whoever is left searches in its place.
void wf_turn_found(wf_worker *worker);

// The worker has announced its sleep, has no timers and gives its thread up: it is quiet from
// here on. When it was the last one, time moves on for the others, or worker 0 hears of the end.
void wf_turn_rest(wf_worker *worker);

// Moves virtual clocks to the next timer of all VMs, if all other workers are quiet.
bool wf_turn_jump(wf_worker *worker);

#endif
