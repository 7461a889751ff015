// SPDX-License-Identifier: MIT
// Who has called the C function that runs, read from LuaJIT's own structures: lua_getstack and
// lua_getinfo take 330 of the 1,150 instructions of a task that starts and finishes, most of them
// to copy the chunk's name (60 ns; so 51).
//
// The structures are those of lj_obj.h and lj_frame.h of LuaJIT 2.1 with 64-bit references (GC64),
// which is what x86-64 and arm64 distributions build. Whether this one's are the same is found out
// when a VM is opened; where they are not, or in an unusual frame, lua_getinfo is asked. So it is
// for what is found here the first time, too (task/site.c).
// Symbols: wf_frame
#ifndef WF_TASK_FRAME_H
#define WF_TASK_FRAME_H

#include <lua.h>
#include <stdbool.h>

typedef struct wf_frame {
  const char *source;  // as in lua_Debug
  int line;
} wf_frame;

// Whether wf_frame_caller can be called on states like L, which runs nothing else now. When memory
// is out it raises or says no.
bool wf_frame_is_known(lua_State *L);

// The Lua function that has called the C function which runs on L. False: it has to be asked for
// otherwise.
bool wf_frame_caller(lua_State *L, wf_frame *frame);

#endif
