// SPDX-License-Identifier: MIT
// Connections on their way to another VM: the socket goes there with what has been read and not
// taken, and the connection that it came from is closed. Only where nothing is under way: nobody
// reads or writes, no rest of a write has still to go out.
#ifndef WF_IO_MOVED_H
#define WF_IO_MOVED_H

#include "task/promote.h"

// wf_kind.share of streams.
extern const wf_share wf_moved_share;

#endif
