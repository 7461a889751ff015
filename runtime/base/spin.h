// SPDX-License-Identifier: MIT
// Busy waiting, for what takes others less time than going to sleep and being woken would.
// Symbols: wf_spin
#ifndef WF_BASE_SPIN_H
#define WF_BASE_SPIN_H

#include <stdint.h>

// Keeps the thread busy for so long, without touching memory that others use. Any thread.
void wf_spin(uint32_t ns);

#endif
