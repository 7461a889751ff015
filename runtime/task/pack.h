// SPDX-License-Identifier: MIT
// The inside of packing, for the rooms that share it: packer.c (the whole), pack.c (values),
// packfn.c (functions) and path.c (what to say of a value that cannot cross).
//
// The walk goes along frames: a table or function that is being packed, with what belongs to it on
// L's stack from `slot` on (a table, the key, the value; a function, the names of its globals, its
// environment). No Lua code runs and nothing is allocated in the VM meanwhile, except under
// wf_guard_at_rest; so addresses tell values apart, and what is seen once stays as it is.
#ifndef WF_TASK_PACK_H
#define WF_TASK_PACK_H

#include "task/codec.h"
#include "task/scratch.h"
#include "task/wire.h"

typedef struct wf_pack_frame {
  int slot;
  bool is_function;
  // Of a table.
  bool pairs;       // past the array
  bool key_is_out;  // the value comes next
  uint32_t next;    // the array's next index
  uint32_t npairs;
  size_t hints;  // where they stand
  // Of a function.
  const wf_code *code;
  uint32_t upvalue, global;  // the next ones
  uint64_t number;
  uint32_t env;
} wf_pack_frame;

typedef struct wf_packer {
  wf_vm *vm;
  lua_State *L;
  wf_codec *codec;
  wf_scratch *s;
  const wf_mem *mem;  // for the parcel
  wf_pack_as as;
  int first, n, root;  // where the values lie, and which of them is under way, from 0
  int pending;         // the slot of a table with what comes later, by its number; nil at first
  int depth;
  bool plain, fresh;  // fresh: the names of modules are known to be up to date
  bool restart;       // there are new modules: begin again
  bool deep;          // what comes later is under way: the path begins somewhere inside
  bool out_of_memory;
  struct wf_promotion *promotion;
  const char *what;   // of a part of an object: what it is there
  const char *why;    // the value on top cannot cross; NULL: because of its type
  wf_effect effect;   // with why == wf_pack_has_effect: what it does
  char variable[80];  // and to which variable
  wf_pack_frame frames[WF_WIRE_DEPTH];
} wf_packer;

// Whether it is a function to be called, with its arguments.
static inline bool wf_pack_is_call(const wf_packer *p) {
  return p->as == WF_PACK_CALL || p->as == WF_PACK_VM;
}

static inline bool wf_pack_no_memory(wf_packer *p) {
  p->out_of_memory = true;
  return false;
}

static inline bool wf_pack_refuse(wf_packer *p, const char *why) {
  p->why = why;
  return false;
}

static inline bool wf_pack_tag(wf_packer *p, uint32_t tag) {
  return WF_LIKELY(wf_scratch_put(p->s, (uint8_t)tag)) || wf_pack_no_memory(p);
}

extern const char wf_pack_has_effect[];

bool wf_pack_uleb(wf_packer *p, uint64_t v);

// The value on top of the stack: packs and pops it, or opens a frame for it.
bool wf_pack_value(wf_packer *p);

// The name on top, of the value below it; pops both.
bool wf_pack_name(wf_packer *p);

// The string at idx, which stays.
bool wf_pack_string(wf_packer *p, int idx);

// When the value on top was seen before: refers to it and pops it. Else gives it a number, whose
// tag comes next.
typedef enum wf_pack_met { WF_PACK_NEW, WF_PACK_SEEN, WF_PACK_FAILED } wf_pack_met;
wf_pack_met wf_pack_meet(wf_packer *p, const void *address, uint64_t *number);

// Marks a numbered value as referred to.
void wf_pack_keep(wf_packer *p, uint64_t number);

// A frame for the value on top.
wf_pack_frame *wf_pack_push_frame(wf_packer *p, uint64_t number);

// The contents of the value on top come later, as it lies too deep. Pops it.
bool wf_pack_later(wf_packer *p, uint64_t number);

// Whether modules have been loaded that were not known; looks once for each message.
bool wf_pack_has_news(wf_packer *p);

// Goes on with the table until one of its keys or values has opened a frame, or to its end.
bool wf_pack_table_step(wf_packer *p, wf_pack_frame *f);

// When the value on top stands for an object (lib/face.h): packs it as that, with *ok saying
// whether it could, and pops it. False: it does not.
bool wf_pack_face(wf_packer *p, bool *ok);

// A function on top of the stack (task/packfn.c); its contents; the next of these.
bool wf_pack_function(wf_packer *p);
bool wf_pack_open_function(wf_packer *p, uint64_t number);
bool wf_pack_function_step(wf_packer *p, wf_pack_frame *f);

// What is small and plain, straight into the message; false: it is not.
bool wf_pack_inline(lua_State *L, int first, int n, wf_message *m);

// The value at idx as part of an object that is to be shared, into a message of its own. False,
// and why is pushed: it cannot cross. Raises when memory is out.
bool wf_pack_part(struct wf_promotion *promotion, lua_State *L, int idx, const char *what,
                  wf_message *m);

// Pushes why the value on top cannot cross, with the path to it (task/path.c). Raises when memory
// is out.
void wf_pack_push_refusal(wf_packer *p);

#endif
