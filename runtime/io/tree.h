// SPDX-License-Identifier: MIT
// Calls on folders: listing one, making one with those above it, removing one with what is in it.
#ifndef WF_IO_TREE_H
#define WF_IO_TREE_H

#include "io/path.h"

// list: names and types, sorted by name. mkdir: with `flag` also what is missing above. remove:
// with `flag` also what is below; links are removed, not followed.
extern const wf_call_kind wf_tree_list, wf_tree_mkdir, wf_tree_remove;

#endif
