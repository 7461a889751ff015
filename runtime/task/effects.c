// SPDX-License-Identifier: MIT
#include "task/effects.h"

#include <string.h>

typedef struct finder {
  wf_mem *mem;
  const wf_dump *d;
  const wf_proto *p;
  wf_vec *effects, *globals;
} finder;

static uint32_t op_of(uint32_t ins) { return ins & 0xff; }
static uint32_t a_of(uint32_t ins) { return ins >> 8 & 0xff; }
static uint32_t b_of(uint32_t ins) { return ins >> 24; }
static uint32_t c_of(uint32_t ins) { return ins >> 16 & 0xff; }
static uint32_t d_of(uint32_t ins) { return ins >> 16; }

static uint32_t ins_at(const finder *f, uint32_t pc) { return wf_dump_ins(f->d, f->p, pc); }

// The upvalue of the outermost function that upvalue `i` of this one is; a local variable of a
// function in between is no captured one.
static wf_variable upvalue(const finder *f, uint32_t i) {
  for (const wf_proto *p = f->p; i < p->nupvalues;) {
    if (p->parent < 0) return (wf_variable){.kind = WF_UPVALUE, .index = i};
    uint32_t descriptor = wf_dump_upvalue(f->d, p, i);
    if ((descriptor & WF_DUMP_LOCAL) != 0) break;
    i = descriptor;
    p = wf_dump_proto(f->d, (size_t)p->parent);
  }
  return (wf_variable){.kind = WF_NO_VARIABLE};
}

static wf_variable global(const finder *f, uint32_t operand) {
  wf_variable v = {.kind = WF_GLOBAL};
  v.at = wf_dump_string(f->d, f->p, operand, &v.length);
  if (v.at == 0) v.kind = WF_NO_VARIABLE;
  return v;
}

// Whether the instruction writes the register, or may.
static bool writes(uint32_t ins, uint32_t reg) {
  uint32_t op = op_of(ins), a = a_of(ins);
  if (op == WF_OP_ISTC || op == WF_OP_ISFC) return a == reg;
  if (op < WF_OP_MOV) return false;
  if (op == WF_OP_KNIL) return reg >= a && reg <= d_of(ins);
  if (op >= WF_OP_USETV && op <= WF_OP_UCLO) return false;
  if (op == WF_OP_GSET || (op >= WF_OP_TSETV && op <= WF_OP_TSETR)) return false;
  if (op <= WF_OP_TGETR) return a == reg;
  // Calls and what is like them leave nothing above.
  if (op == WF_OP_CALLM || op == WF_OP_CALL || op == WF_OP_VARG) return reg >= a;
  if (op == WF_OP_ITERC || op == WF_OP_ITERN) return reg >= a;
  if (op >= WF_OP_FORI && op <= WF_OP_JFORL) return reg >= a && reg <= a + 3;
  if (op >= WF_OP_ITERL && op <= WF_OP_JITERL) return reg + 1 == a;
  return false;
}

// The instruction before pc that wrote the register; UINT32_MAX when there is none. A temporary is
// written once, before anything that follows from it, so the order of the text is good enough.
static uint32_t writer_of(const finder *f, uint32_t pc, uint32_t reg) {
  while (pc-- > 0) {
    if (writes(ins_at(f, pc), reg)) return pc;
  }
  return UINT32_MAX;
}

// The captured or global variable that the instruction loads.
static wf_variable loaded_by(const finder *f, uint32_t pc) {
  uint32_t ins = pc != UINT32_MAX ? ins_at(f, pc) : 0;
  if (op_of(ins) == WF_OP_UGET) return upvalue(f, d_of(ins));
  if (op_of(ins) == WF_OP_GGET) return global(f, d_of(ins));
  return (wf_variable){.kind = WF_NO_VARIABLE};
}

// That which was loaded into the temporary.
static wf_variable loaded(const finder *f, uint32_t pc, uint32_t reg) {
  if (wf_dump_is_local(f->d, f->p, pc, reg)) return (wf_variable){.kind = WF_NO_VARIABLE};
  return loaded_by(f, writer_of(f, pc, reg));
}

static bool add(finder *f, wf_effect effect, uint32_t pc) {
  wf_effect *place = wf_vec_add(f->mem, f->effects, sizeof *place);
  if (place == NULL) return false;
  effect.line = wf_dump_line(f->d, f->p, pc);
  *place = effect;
  return true;
}

static bool same_text(const finder *f, size_t at, size_t length, const char *text) {
  return length == strlen(text) && memcmp(f->d->data + at, text, length) == 0;
}

// The instruction whose value is in the register, past moves: who gives a function another name
// (`local insert = table.insert`) does it once, and above.
static uint32_t source_of(const finder *f, uint32_t pc, uint32_t reg) {
  for (;;) {
    pc = writer_of(f, pc, reg);
    if (pc == UINT32_MAX || op_of(ins_at(f, pc)) != WF_OP_MOV) return pc;
    reg = d_of(ins_at(f, pc));
  }
}

// What is called: a variable's value, or a field `insert`, `remove` or `sort` of it.
static bool callee_of(const finder *f, uint32_t pc, uint32_t reg, wf_effect *effect) {
  uint32_t from = source_of(f, pc, reg);
  uint32_t ins = from != UINT32_MAX ? ins_at(f, from) : 0;
  if (op_of(ins) == WF_OP_TGETS) {
    effect->field = wf_dump_string(f->d, f->p, c_of(ins), &effect->field_length);
    size_t at = effect->field, n = effect->field_length;
    if (at == 0 || !(same_text(f, at, n, "insert") || same_text(f, at, n, "remove") ||
                     same_text(f, at, n, "sort"))) {
      return false;
    }
    from = source_of(f, from, b_of(ins));
  }
  effect->callee = loaded_by(f, from);
  return effect->callee.kind != WF_NO_VARIABLE;
}

static bool find_call(finder *f, uint32_t pc) {
  uint32_t a = a_of(ins_at(f, pc)), first = a + (f->d->fr2 ? 2 : 1);
  wf_effect effect = {.kind = WF_MAY_PASS, .variable = loaded(f, pc, first)};
  if (effect.variable.kind == WF_NO_VARIABLE || !callee_of(f, pc, a, &effect)) return true;
  return add(f, effect, pc);
}

static bool find_store(finder *f, uint32_t pc, uint32_t table) {
  wf_effect effect = {.kind = WF_STORES, .variable = loaded(f, pc, table)};
  return effect.variable.kind == WF_NO_VARIABLE || add(f, effect, pc);
}

static bool find_assignment(finder *f, uint32_t pc, wf_variable variable) {
  wf_effect effect = {.kind = WF_ASSIGNS, .variable = variable};
  return variable.kind == WF_NO_VARIABLE || add(f, effect, pc);
}

static bool note_global(finder *f, wf_variable v) {
  if (v.kind == WF_NO_VARIABLE) return true;
  const wf_variable *known = (const wf_variable *)(void *)f->globals->data;
  for (size_t i = 0; i < f->globals->size / sizeof *known; i++) {
    if (known[i].length == v.length &&
        memcmp(f->d->data + known[i].at, f->d->data + v.at, v.length) == 0) {
      return true;
    }
  }
  wf_variable *place = wf_vec_add(f->mem, f->globals, sizeof *place);
  if (place != NULL) *place = v;
  return place != NULL;
}

static bool find_at(finder *f, uint32_t pc) {
  uint32_t ins = ins_at(f, pc), op = op_of(ins);
  if (op == WF_OP_GGET) return note_global(f, global(f, d_of(ins)));
  if (op == WF_OP_GSET) return find_assignment(f, pc, global(f, d_of(ins)));
  if (op >= WF_OP_USETV && op <= WF_OP_USETP) return find_assignment(f, pc, upvalue(f, a_of(ins)));
  if ((op >= WF_OP_TSETV && op <= WF_OP_TSETB) || op == WF_OP_TSETR) {
    return find_store(f, pc, b_of(ins));
  }
  // t[…] = … with an open list: the table lies below A.
  if (op == WF_OP_TSETM) return a_of(ins) == 0 || find_store(f, pc, a_of(ins) - 1);
  if (op == WF_OP_CALL || op == WF_OP_CALLT) {
    uint32_t nargs = op == WF_OP_CALL ? c_of(ins) : d_of(ins);  // counted with the function
    return nargs < 2 || find_call(f, pc);
  }
  // With an open list of arguments: those before it.
  if (op == WF_OP_CALLM || op == WF_OP_CALLMT) {
    return (op == WF_OP_CALLM ? c_of(ins) : d_of(ins)) < 1 || find_call(f, pc);
  }
  return true;
}

bool wf_effects_find(wf_mem *mem, const wf_dump *dump, wf_vec *effects, wf_vec *globals) {
  finder f = {.mem = mem, .d = dump, .effects = effects, .globals = globals};
  // The function itself first, then those inside it.
  for (size_t i = wf_dump_count(dump); i-- > 0;) {
    f.p = wf_dump_proto(dump, i);
    for (uint32_t pc = 0; pc < f.p->ncode; pc++) {
      if (!find_at(&f, pc)) return false;
    }
  }
  return true;
}
