// SPDX-License-Identifier: MIT
// Faces: values that stand for an object and cross as that: a context's done channel, its cancel
// functions, and the stop functions of after_func. What has arrived is the face that the object has
// in its VM; the same one, as long as somebody has it.
#ifndef WF_LIB_FACE_H
#define WF_LIB_FACE_H

#include <lua.h>
#include <stdbool.h>

#include "sched/vm.h"

// wf_hooks.push_whole, wf_hooks.push_face.
int wf_face_push_whole(wf_vm *vm, lua_State *L, int idx);
void wf_face_push(wf_vm *vm, lua_State *L, int face);

#endif
