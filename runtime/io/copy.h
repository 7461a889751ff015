// SPDX-License-Identifier: MIT
// Copying a file, in pieces: one that nobody waits for any more is given up after the piece that
// is under way, and what there is of the copy is removed, as after any failure.
#ifndef WF_IO_COPY_H
#define WF_IO_COPY_H

#include "io/path.h"

// Of a wf_path_call: `path`, with its permissions, to `other`, which is replaced.
extern const wf_call_kind wf_copy_kind;

#endif
