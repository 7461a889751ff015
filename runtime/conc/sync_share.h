// SPDX-License-Identifier: MIT
// How the objects of weft.sync (conc/sync.h) come to be shared with other VMs.
#ifndef WF_CONC_SYNC_SHARE_H
#define WF_CONC_SYNC_SHARE_H

#include "task/promote.h"

extern const wf_share wf_sync_share;

#endif
