// SPDX-License-Identifier: MIT
#include "task/effects.h"

#include <string.h>

enum { NOWHERE = UINT32_MAX, REGISTERS = 256 };

// What was last put into a register, above in the text: a temporary is written once, before
// anything that follows from it, so the order of the text is good enough.
typedef struct content {
  uint32_t writer;  // the instruction that wrote it
  uint32_t source;  // the one whose value it is, past moves
  uint32_t table;   // where that one is TGETS: the source of its table
} content;

typedef struct finder {
  wf_mem *mem;
  const wf_dump *d;
  const wf_proto *p;
  wf_vec *effects, *globals;
  wf_vec constants;  // of p
  wf_vec noted;      // for each of these whether it is among the globals
  content registers[REGISTERS];
} finder;

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
  v.at = wf_dump_string(f->d, f->p, &f->constants, operand, &v.length);
  if (v.at == 0) v.kind = WF_NO_VARIABLE;
  return v;
}

static void write_range(finder *f, uint32_t pc, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i <= to && i < REGISTERS; i++)
    f->registers[i] = (content){pc, pc, NOWHERE};
}

// Notes the registers that the instruction writes, or may.
static void note_writes(finder *f, uint32_t pc) {
  uint32_t ins = ins_at(f, pc), op = wf_dump_op(ins), a = wf_dump_a(ins);
  if (op == WF_OP_MOV && wf_dump_d(ins) < REGISTERS) {
    f->registers[a] = f->registers[wf_dump_d(ins)];
    f->registers[a].writer = pc;
  } else if (op == WF_OP_TGETS) {
    f->registers[a] = (content){pc, pc, f->registers[wf_dump_b(ins)].source};
  } else if (op == WF_OP_KNIL) {
    write_range(f, pc, a, wf_dump_d(ins));
  } else if (op == WF_OP_CALLM || op == WF_OP_CALL || op == WF_OP_VARG || op == WF_OP_ITERC ||
             op == WF_OP_ITERN) {
    // Calls and what is like them leave nothing above.
    write_range(f, pc, a, f->p->frame_size);
  } else if (op >= WF_OP_FORI && op <= WF_OP_JFORL) {
    write_range(f, pc, a, a + 3);
  } else if (op >= WF_OP_ITERL && op <= WF_OP_JITERL) {
    if (a > 0) write_range(f, pc, a - 1, a - 1);
  } else if (op == WF_OP_ISTC || op == WF_OP_ISFC ||
             (op >= WF_OP_MOV && op <= WF_OP_TGETR && op != WF_OP_GSET &&
              !(op >= WF_OP_USETV && op <= WF_OP_UCLO))) {
    write_range(f, pc, a, a);
  }
}

// The captured or global variable that the instruction loads.
static wf_variable loaded_by(const finder *f, uint32_t pc) {
  uint32_t ins = pc != NOWHERE ? ins_at(f, pc) : 0;
  if (wf_dump_op(ins) == WF_OP_UGET) return upvalue(f, wf_dump_d(ins));
  if (wf_dump_op(ins) == WF_OP_GGET) return global(f, wf_dump_d(ins));
  return (wf_variable){.kind = WF_NO_VARIABLE};
}

// That which was loaded into the temporary.
static wf_variable loaded(const finder *f, uint32_t pc, uint32_t reg) {
  wf_variable v = loaded_by(f, f->registers[reg].writer);
  if (wf_dump_is_local(f->d, f->p, pc, reg)) v.kind = WF_NO_VARIABLE;
  return v;
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

// What is called: a variable's value, or a field `insert`, `remove` or `sort` of it; also by way
// of a local variable, as who gives it another name (`local insert = table.insert`) does it above.
static bool callee_of(const finder *f, uint32_t reg, wf_effect *effect) {
  uint32_t from = f->registers[reg].source;
  uint32_t ins = from != NOWHERE ? ins_at(f, from) : 0;
  if (wf_dump_op(ins) == WF_OP_TGETS) {
    wf_variable field = global(f, wf_dump_c(ins));
    if (field.kind == WF_NO_VARIABLE || !(same_text(f, field.at, field.length, "insert") ||
                                          same_text(f, field.at, field.length, "remove") ||
                                          same_text(f, field.at, field.length, "sort"))) {
      return false;
    }
    effect->field = field.at;
    effect->field_length = field.length;
    from = f->registers[reg].table;
  }
  effect->callee = loaded_by(f, from);
  return effect->callee.kind != WF_NO_VARIABLE;
}

static bool find_call(finder *f, uint32_t pc) {
  uint32_t a = wf_dump_a(ins_at(f, pc)), first = a + (f->d->fr2 ? 2 : 1);
  if (first >= REGISTERS) return true;
  wf_effect effect = {.kind = WF_MAY_PASS, .variable = loaded(f, pc, first)};
  if (effect.variable.kind == WF_NO_VARIABLE || !callee_of(f, a, &effect)) return true;
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

static bool note_global(finder *f, uint32_t operand) {
  wf_variable v = global(f, operand);
  if (v.kind == WF_NO_VARIABLE || f->noted.data[operand] != 0) return true;
  f->noted.data[operand] = 1;
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
  uint32_t ins = ins_at(f, pc), op = wf_dump_op(ins);
  if (op == WF_OP_GGET) return note_global(f, wf_dump_d(ins));
  if (op == WF_OP_GSET) return find_assignment(f, pc, global(f, wf_dump_d(ins)));
  if (op >= WF_OP_USETV && op <= WF_OP_USETP)
    return find_assignment(f, pc, upvalue(f, wf_dump_a(ins)));
  if ((op >= WF_OP_TSETV && op <= WF_OP_TSETB) || op == WF_OP_TSETR) {
    return find_store(f, pc, wf_dump_b(ins));
  }
  // t[…] = … with an open list: the table lies below A.
  if (op == WF_OP_TSETM) return wf_dump_a(ins) == 0 || find_store(f, pc, wf_dump_a(ins) - 1);
  if (op == WF_OP_CALL || op == WF_OP_CALLT) {
    uint32_t nargs =
        op == WF_OP_CALL ? wf_dump_c(ins) : wf_dump_d(ins);  // counted with the function
    return nargs < 2 || find_call(f, pc);
  }
  // With an open list of arguments: those before it.
  if (op == WF_OP_CALLM || op == WF_OP_CALLMT) {
    return (op == WF_OP_CALLM ? wf_dump_c(ins) : wf_dump_d(ins)) < 1 || find_call(f, pc);
  }
  return true;
}

// The constants of the proto, none of them noted. False when memory is out.
static bool find_constants(finder *f) {
  f->noted.size = 0;
  if (!wf_dump_find_constants(f->mem, f->d, f->p, &f->constants)) return false;
  void *noted = f->p->nkgc > 0 ? wf_vec_add(f->mem, &f->noted, f->p->nkgc) : NULL;
  if (noted != NULL) memset(noted, 0, f->p->nkgc);
  return noted != NULL || f->p->nkgc == 0;
}

static bool find_in(finder *f) {
  if (!find_constants(f)) return false;
  for (uint32_t i = 0; i < REGISTERS; i++) {
    f->registers[i] = (content){NOWHERE, NOWHERE, NOWHERE};
  }
  for (uint32_t pc = 0; pc < f->p->ncode; pc++) {
    if (!find_at(f, pc)) return false;
    note_writes(f, pc);
  }
  return true;
}

bool wf_effects_find(wf_mem *mem, const wf_dump *dump, wf_vec *effects, wf_vec *globals) {
  finder f = {.mem = mem, .d = dump, .effects = effects, .globals = globals};
  bool ok = true;
  // The function itself first, then those inside it.
  for (size_t i = wf_dump_count(dump); ok && i-- > 0;) {
    f.p = wf_dump_proto(dump, i);
    ok = find_in(&f);
  }
  wf_vec_free(mem, &f.constants);
  wf_vec_free(mem, &f.noted);
  return ok;
}
