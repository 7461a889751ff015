// SPDX-License-Identifier: MIT
// From Lua values to a message, and back in another VM.
//
// Copied: nil, booleans, numbers, strings, int64 and uint64, tables (with cycles and shared
// references, and metatables that are registered), functions (task/closure.h) with their upvalues
// and the globals that they read. By name: task/names.h. By reference: objects of a kind that can
// be shared (task/promote.h), and views of them. Functions that share an upvalue and cross in one
// message share it afterwards. The globals of a function are set in an environment of the
// message's own, behind which stand the VM's globals; functions of one message share it when they
// shared theirs.
//
// Neither way recurses in C, whatever the depth. Messages come from this process alone: bytes that
// do not make sense are an error and no crash, but the code of functions, which goes beside the
// bytes, is believed.
//
// Measured (release, 2 cores, one thread, ns to pack / to unpack): see task/wire.h.
// Symbols: wf_codec, wf_pack
#ifndef WF_TASK_CODEC_H
#define WF_TASK_CODEC_H

#include <lua.h>

#include "sched/vm.h"
#include "task/closure.h"
#include "task/message.h"
#include "task/names.h"

struct wf_scratch;

enum { WF_CODEC_KEYS = 256, WF_CODEC_KEY_BYTES = 16 };

// What a VM keeps for it, from the first value that crosses to its end.
typedef struct wf_codec {
  wf_closures closures;
  wf_names names;
  bool modules_changed;        // since the last wf_names_refresh
  const void *globals;         // the address of the VM's globals, and of what weft's own modules
  const void *own_env;         // see as globals
  struct wf_scratch *scratch;  // while nobody packs
  // Strings that were keys lately, padded with zeros, at WF_REF_KEYS + 1: half the price of
  // making the string again.
  char keys[WF_CODEC_KEYS][WF_CODEC_KEY_BYTES];
} wf_codec;

// What is packed, as errors call it.
typedef enum wf_pack_as {
  WF_PACK_CALL,     // a function and its arguments, to be started: what it would do to the world
                    // around it (task/effects.h) is refused
  WF_PACK_VM,       // the same for a function that makes a VM ready: it may assign globals
  WF_PACK_VALUES,   // "value"
  WF_PACK_RESULTS,  // "result 1"
} wf_pack_as;

// Packs the n values from index `first` of L's stack on. False: one of them cannot cross; why,
// with the path to it (`arg 2.items[3]: coroutine`), is on top of the stack, and nothing else has
// changed. Raises when memory is out. The stack is as it was otherwise. Objects among them are
// shared from then on.
bool wf_codec_pack(wf_vm *vm, lua_State *L, int first, int n, wf_pack_as as, wf_message *m);

// The same for values that need a parcel; that is `mem`'s.
bool wf_codec_pack_into(wf_vm *vm, lua_State *L, int first, int n, wf_pack_as as,
                        const wf_mem *mem, wf_message *m);

// Whether that could be done, and how many bytes it would be. Nothing becomes shared.
bool wf_codec_check(wf_vm *vm, lua_State *L, int first, int n, wf_pack_as as, size_t *weight);

// Pushes the values of the message, which stays as it is and is the caller's to free. False: an
// error (a module that does not load, memory) is on top of the stack instead. A message without
// a parcel may raise for want of memory. Runs Lua code: of modules that have to be loaded, which
// cannot block there.
bool wf_codec_unpack(wf_vm *vm, lua_State *L, const wf_message *m);

// Makes the VM's part ready; the others do it themselves. Raises when memory is out.
wf_codec *wf_codec_open(wf_vm *vm, lua_State *L);

// The same; false: the error is on top of L's stack instead.
bool wf_codec_open_protected(wf_vm *vm, lua_State *L);

void wf_codec_free(wf_vm *vm);

#endif
