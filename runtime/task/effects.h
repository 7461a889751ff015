// SPDX-License-Identifier: MIT
// What a function does to variables that are not its own, found in its bytecode: which globals it
// names, and what it would change of the world around it, where a function that was shipped to
// another VM would only change its copy.
//
// Found are, in the function and in the functions inside it: assignments to captured variables and
// to globals; stores straight into a captured or global table (`results[i] = x`); and calls of
// table.insert, remove and sort with such a table, whatever local variable has that function. A
// table that goes through a local variable (`local t = captured`) is meant; a stripped function
// does not tell locals from temporaries, so only its assignments are found.
#ifndef WF_TASK_EFFECTS_H
#define WF_TASK_EFFECTS_H

#include "task/dump.h"

// A captured variable, by its number in the outermost function, or a global, by where its name
// lies in the dump.
typedef struct wf_variable {
  enum { WF_NO_VARIABLE, WF_UPVALUE, WF_GLOBAL } kind;
  uint32_t index;  // of the upvalue
  size_t at, length;
} wf_variable;

typedef enum wf_effect_kind {
  WF_ASSIGNS,   // the variable
  WF_STORES,    // into the table in it
  WF_MAY_PASS,  // the table to `callee`, which matters if that is one of table's functions
} wf_effect_kind;

typedef struct wf_effect {
  wf_effect_kind kind;
  uint32_t line;  // 0: not known
  wf_variable variable;
  wf_variable callee;  // the function, or, with `field`, the library
  size_t field, field_length;
} wf_effect;

// Adds what is found: effects (wf_effect) in the order of their lines' instructions, and the names
// of globals that are read (wf_variable), each once. False when memory is out.
bool wf_effects_find(wf_mem *mem, const wf_dump *dump, wf_vec *effects, wf_vec *globals);

#endif
