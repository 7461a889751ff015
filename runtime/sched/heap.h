// SPDX-License-Identifier: MIT
// When the collector of a VM of weft's own begins anew: LuaJIT waits until the heap has doubled,
// and here at least until it is 1.5 MB. A small heap would be gone through again for every little
// garbage: a server that echoes 16 KiB takes 8 % less processor time with 4 MB (6.0 -> 5.5 us).
// But what is new lies where the caches have nothing of it, so the heap had better fit into those
// of a core: of 64 B on 64 connections a message takes 5.1 us with 4 MB and 4.7 with 1.5 (with 1
// MB 4.7, with 2 4.9).
//
// LuaJIT only knows a factor (collectgarbage "setpause"), which it applies at the end of a cycle.
// Just before, it runs finalisers: that of a userdata that nobody refers to sets the factor for
// the heap as it is then. A script that sets one of its own is left alone from then on.
// Symbols: wf_heap
#ifndef WF_SCHED_HEAP_H
#define WF_SCHED_HEAP_H

#include "sched/vm.h"

// For a state that weft has made. Raises on L when memory is out.
void wf_heap_open(wf_vm *vm, lua_State *L);

#endif
