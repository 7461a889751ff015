// SPDX-License-Identifier: MIT
// Faces: values that stand for an object and cross as that: views of a channel, a context's done
// channel, its cancel functions, and stop functions of after_func. What has arrived is the face
// that the object has in its VM; functions are the same ones, as long as somebody has them.
#ifndef WF_TASK_FACE_H
#define WF_TASK_FACE_H

#include <lua.h>

struct wf_vm;

typedef enum wf_face {  // as it is written behind WF_WIRE_VIEW
  WF_FACE_RECV,
  WF_FACE_SEND,
  WF_FACE_DONE,
  WF_FACE_CANCEL,
  WF_FACE_STOP,
  WF_FACE_NONE,
} wf_face;

// wf_hooks.faces (lib/face.c).
typedef struct wf_faces {
  // The value at idx, no view, stands for an object: pushes that one's proxy, and says as what;
  // WF_FACE_NONE, and nothing is pushed: it does not. Raises nothing.
  wf_face (*push_whole)(struct wf_vm *vm, lua_State *L, int idx);
  // The other way round, in place of the proxy on top. Raises.
  void (*push)(struct wf_vm *vm, lua_State *L, wf_face face);
} wf_faces;

#endif
