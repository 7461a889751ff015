// SPDX-License-Identifier: MIT
// How a channel becomes shared, with the values that it has buffered and the tasks that wait on
// it.
#ifndef WF_CONC_SHARE_H
#define WF_CONC_SHARE_H

#include "task/promote.h"

extern const wf_share wf_share_chan;

#endif
