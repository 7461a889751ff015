// SPDX-License-Identifier: MIT
#include "task/closure.h"

#include <lauxlib.h>
#include <luajit.h>
#include <string.h>

#include "sched/runtime.h"
#include "task/address.h"
#include "task/guard.h"
#include "task/template.h"

void wf_closure_init(wf_closures *closures) { wf_list_init(&closures->used); }

// The cache ----------------------------------------------------------------------------------

static wf_closure *find(const wf_closures *closures, uint32_t hash, const char *dump, size_t size,
                        bool no_jit) {
  wf_closure *c = closures->buckets[hash % WF_CLOSURE_BUCKETS];
  for (; c != NULL; c = c->next) {
    const wf_code *code = c->code;
    if (code->dump == dump) return c;
    if (code->hash == hash && code->size == size && code->no_jit == no_jit &&
        memcmp(code->dump, dump, size) == 0) {
      return c;
    }
  }
  return NULL;
}

static void touch(wf_closures *closures, wf_closure *c) {
  if (closures->used.prev == &c->used) return;
  wf_list_remove(&c->used);
  wf_list_push(&closures->used, &c->used);
}

static void clear_slot(wf_vm *vm, lua_State *L, wf_vm_ref ref, int slot) {
  wf_vm_push_ref(vm, L, ref);
  lua_pushboolean(L, 0);
  lua_rawseti(L, -2, slot);
  lua_pop(L, 1);
}

static void drop(wf_vm *vm, wf_closures *closures, wf_closure *c) {
  wf_closure **at = &closures->buckets[c->code->hash % WF_CLOSURE_BUCKETS];
  while (*at != c) at = &(*at)->next;
  *at = c->next;
  wf_list_remove(&c->used);
  closures->count--;
  closures->bytes -= c->code->size;
  closures->free_slots[closures->nfree++] = c->slot;
  wf_code_unref(c->code);
  wf_mem_free(&vm->rt->mem, c, sizeof *c);
}

static void new_weak_table(wf_vm *vm, lua_State *L, const char *mode, wf_vm_ref ref) {
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushstring(L, mode);
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  wf_vm_set_ref(vm, L, ref);
}

// The functions that are known by their address: anew, as some may have lost their entry.
static void forget_functions(wf_vm *vm, lua_State *L) {
  new_weak_table(vm, L, "k", WF_REF_FUNCTIONS);
}

enum { CELL_MAKER = 0 };  // in the table of factories

void wf_closure_open(wf_vm *vm, lua_State *L) {
  // Assigned, so that the compiler does not take it for a constant.
  static const char make_cell[] = "local v return function(x) v = x end";
  lua_newtable(L);
  if (luaL_loadstring(L, make_cell) != 0) lua_error(L);
  lua_rawseti(L, -2, CELL_MAKER);
  wf_vm_set_ref(vm, L, WF_REF_FACTORIES);
  lua_newtable(L);
  wf_vm_set_ref(vm, L, WF_REF_GLOBAL_NAMES);
  forget_functions(vm, L);
  new_weak_table(vm, L, "v", WF_REF_PROTOS);
}

static bool is_full(const wf_closures *closures, size_t more) {
  return closures->count > 0 &&
         (closures->count == WF_CLOSURE_MAX || closures->bytes + more > WF_CLOSURE_BYTES);
}

static void make_room(wf_vm *vm, wf_closures *closures, lua_State *L, size_t more) {
  if (!is_full(closures, more)) return;
  forget_functions(vm, L);
  while (is_full(closures, more)) {
    wf_closure *c = wf_container_of(closures->used.next, wf_closure, used);
    if (c->has_factory[0]) clear_slot(vm, L, WF_REF_FACTORIES, c->slot);
    if (c->has_factory[1]) clear_slot(vm, L, WF_REF_FACTORIES, -c->slot);
    if (c->has_names) clear_slot(vm, L, WF_REF_GLOBAL_NAMES, c->slot);
    drop(vm, closures, c);
  }
}

static wf_closure *insert(wf_vm *vm, wf_closures *closures, lua_State *L, wf_code *code) {
  make_room(vm, closures, L, code->size);
  wf_closure *c = wf_mem_new(&vm->rt->mem, sizeof *c);
  if (c == NULL) return NULL;
  c->code = code;
  wf_code_ref(code);
  c->slot = closures->nfree > 0 ? closures->free_slots[--closures->nfree] : ++closures->slots;
  c->next = closures->buckets[code->hash % WF_CLOSURE_BUCKETS];
  closures->buckets[code->hash % WF_CLOSURE_BUCKETS] = c;
  wf_list_push(&closures->used, &c->used);
  closures->count++;
  closures->bytes += code->size;
  return c;
}

void wf_closure_free(wf_vm *vm, wf_closures *closures) {
  while (!wf_list_empty(&closures->used)) {
    drop(vm, closures, wf_container_of(closures->used.next, wf_closure, used));
  }
}

// From a function to its code ----------------------------------------------------------------

static uint8_t count_upvalues(lua_State *L, int idx) {
  lua_Debug ar;
  lua_pushvalue(L, idx);
  return lua_getinfo(L, ">u", &ar) != 0 ? (uint8_t)ar.nups : 0;
}

typedef struct entry_job {
  wf_vm *vm;
  wf_closures *closures;
  wf_code_digest g;
  wf_code *code;  // made for it, counted
  wf_closure *entry;
} entry_job;

static wf_closure *insert_or_raise(wf_vm *vm, wf_closures *closures, lua_State *L, wf_code *code) {
  wf_closure *c = code != NULL ? insert(vm, closures, L, code) : NULL;
  if (c == NULL) {
    (void)luaL_error(L, "not enough memory");
    __builtin_unreachable();
  }
  return c;
}

// The entry of the function at 2, which is then known by its address.
static int enter(lua_State *L, void *ud) {
  entry_job *job = ud;
  wf_code_digest *g = &job->g;
  bool known;
  lua_settop(L, 2);
  if (!wf_code_take_dump(g, L, &known)) return luaL_error(L, "not enough memory");
  const void *function = lua_topointer(L, 2);
  bool found = known && wf_code_is_found(&g->dump, function);
  bool no_jit = found && wf_code_is_jit_off(function);
  const char *bytes = (const char *)g->bytes.data;
  uint32_t hash = wf_code_hash(bytes, g->bytes.size);
  wf_closure *c = find(job->closures, hash, bytes, g->bytes.size, no_jit);
  if (c == NULL) {
    job->code = wf_code_make(g, hash, known, no_jit);
    if (job->code != NULL) job->code->nupvalues = count_upvalues(L, 2);
    c = insert_or_raise(job->vm, job->closures, L, job->code);
  }
  touch(job->closures, c);
  wf_vm_push_ref(job->vm, L, WF_REF_FUNCTIONS);
  lua_pushvalue(L, 2);
  lua_pushlightuserdata(L, c);
  lua_rawset(L, -3);
  if (found) {
    job->closures->by_proto = true;
    wf_vm_push_ref(job->vm, L, WF_REF_PROTOS);
    wf_address_push(L, wf_code_bytecode(function));
    lua_pushvalue(L, 2);
    lua_rawset(L, -3);
  }
  job->entry = c;
  return 0;
}

// The entry of the function on top of the stack, which is popped; NULL: none.
static wf_closure *pop_entry(wf_vm *vm, lua_State *L) {
  wf_vm_push_ref(vm, L, WF_REF_FUNCTIONS);
  lua_insert(L, -2);
  lua_rawget(L, -2);
  wf_closure *c = lua_touserdata(L, -1);
  lua_pop(L, 2);
  return c;
}

// Of another closure that shares the prototype, as those have that a loop makes: while that one
// lives, the bytecode is where it was. (A dump and its hash cost 3 us.)
static wf_closure *entry_of_sibling(wf_vm *vm, lua_State *L, int idx) {
  const void *function = lua_topointer(L, idx);
  wf_vm_push_ref(vm, L, WF_REF_PROTOS);
  wf_address_push(L, wf_code_bytecode(function));
  lua_rawget(L, -2);
  lua_remove(L, -2);
  return pop_entry(vm, L);
}

wf_code *wf_closure_known(wf_vm *vm, const wf_closures *closures, lua_State *L, int idx) {
  lua_pushvalue(L, idx);
  wf_closure *c = pop_entry(vm, L);
  if (c == NULL && closures->by_proto) c = entry_of_sibling(vm, L, idx);
  if (c == NULL) return NULL;
  // jit.off may have been called since.
  bool same = !closures->by_proto || wf_code_is_jit_off(lua_topointer(L, idx)) == c->code->no_jit;
  return same ? c->code : NULL;
}

wf_code *wf_closure_code(wf_vm *vm, wf_closures *closures, lua_State *L, int idx) {
  entry_job job = {.vm = vm, .closures = closures, .g = {.mem = &vm->rt->mem}};
  lua_pushvalue(L, idx);
  int status = wf_guard_at_rest(vm, L, enter, &job, 1, 0);
  wf_code_free_digest(&job.g);
  if (job.code != NULL) wf_code_unref(job.code);
  if (status == 0) return job.entry->code;
  lua_pop(L, 1);
  return NULL;
}

static wf_closure *entry_of(wf_vm *vm, wf_closures *closures, lua_State *L, wf_code *code) {
  wf_closure *c = find(closures, code->hash, code->dump, code->size, code->no_jit);
  if (c == NULL) c = insert_or_raise(vm, closures, L, code);
  touch(closures, c);
  return c;
}

typedef struct names_job {
  wf_vm *vm;
  wf_closures *closures;
  wf_code *code;
} names_job;

static int make_names(lua_State *L, void *ud) {
  const names_job *job = ud;
  wf_closure *c = entry_of(job->vm, job->closures, L, job->code);
  wf_vm_push_ref(job->vm, L, WF_REF_GLOBAL_NAMES);
  lua_createtable(L, (int)job->code->nglobals, 0);
  for (uint32_t i = 0; i < job->code->nglobals; i++) {
    const wf_variable *v = &job->code->globals[i];
    lua_pushlstring(L, job->code->dump + v->at, v->length);
    lua_rawseti(L, -2, (int)i + 1);
  }
  lua_pushvalue(L, -1);
  lua_rawseti(L, -3, c->slot);
  c->has_names = true;
  return 1;
}

bool wf_closure_push_names(wf_vm *vm, wf_closures *closures, lua_State *L, wf_code *code) {
  const wf_closure *c = find(closures, code->hash, code->dump, code->size, code->no_jit);
  if (WF_LIKELY(c != NULL && c->has_names)) {
    wf_vm_push_ref(vm, L, WF_REF_GLOBAL_NAMES);
    lua_rawgeti(L, -1, c->slot);
    lua_remove(L, -2);
    return true;
  }
  names_job job = {.vm = vm, .closures = closures, .code = code};
  return wf_guard_at_rest(vm, L, make_names, &job, 0, 1) == 0;
}

// From code to a function --------------------------------------------------------------------

// Pushes `local a1, …, an = ... return function() return a1, …, an end` as a function.
static void push_frame_of(lua_State *L, int n) {
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  if (n == 0) luaL_addstring(&b, "return function() end");
  for (int part = 0; n > 0 && part < 2; part++) {
    luaL_addstring(&b, part == 0 ? "local " : " = ... return function() return ");
    for (int i = 1; i <= n; i++) {
      lua_pushfstring(L, i == 1 ? "a%d" : ",a%d", i);
      luaL_addvalue(&b);
    }
    if (part == 1) luaL_addstring(&b, " end");
  }
  luaL_pushresult(&b);
  if (luaL_loadstring(L, lua_tostring(L, -1)) != 0) lua_error(L);  // for want of memory
  lua_remove(L, -2);
}

static void add_uleb(luaL_Buffer *b, size_t v) {
  for (; v >= 0x80; v >>= 7) luaL_addchar(b, (char)(v | 0x80));
  luaL_addchar(b, (char)v);
}

// The function's own proto, with its upvalues in the locals 0, 1, … of the factory.
static void add_child(luaL_Buffer *b, const wf_dump *d, const wf_proto *p) {
  const char *data = (const char *)d->data;
  add_uleb(b, p->end - p->start);
  luaL_addlstring(b, data + p->start, p->upvalues - p->start);
  for (uint32_t i = 0; i < p->nupvalues; i++) {
    uint32_t v = WF_DUMP_LOCAL | i;
    uint32_t old = wf_dump_upvalue(d, p, i);
    if ((old & WF_DUMP_LOCAL) != 0) v |= old & WF_DUMP_IMMUTABLE;
    luaL_addchar(b, (char)(v & 0xff));
    luaL_addchar(b, (char)(v >> 8));
  }
  luaL_addlstring(b, data + p->kgc, p->end - p->kgc);
}

// Pushes the spliced dump as a string. False: it does not fit together.
static bool push_spliced(lua_State *L, const wf_dump *child, const wf_dump *frame) {
  const wf_proto *top = wf_dump_top(child), *outer = wf_dump_top(frame);
  if (child->fr2 != frame->fr2) return false;
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  const char *data = (const char *)child->data;
  // Up to the length before the function's own proto, which follows the one before it.
  size_t inner =
      wf_dump_count(child) > 1 ? wf_dump_proto(child, wf_dump_count(child) - 2)->end : child->head;
  luaL_addlstring(&b, data, inner);
  add_child(&b, child, top);
  add_uleb(&b, outer->end - outer->start);
  luaL_addlstring(&b, (const char *)frame->data + outer->start, outer->end - outer->start);
  luaL_addchar(&b, '\0');
  luaL_pushresult(&b);
  return true;
}

typedef struct splice_job {
  const wf_code *code;
  wf_code_digest child, frame, whole;  // whole: the child with its templates
} splice_job;

static bool parse(wf_code_digest *g, lua_State *L, const void *data, size_t size) {
  wf_dump_result result = wf_dump_parse(g->mem, &g->dump, data, size);
  if (result == WF_DUMP_MEMORY) (void)luaL_error(L, "not enough memory");
  return result == WF_DUMP_OK;
}

// Whether the instance on top is what it should be.
static bool is_instance(lua_State *L, const wf_code *code) {
  return lua_isfunction(L, -1) && count_upvalues(L, lua_gettop(L)) == code->nupvalues;
}

// -> the factory; nothing when there can be none
static int make_factory(lua_State *L, void *ud) {
  splice_job *job = ud;
  const wf_code *code = job->code;
  wf_vec *bytes = &job->whole.bytes;
  bool known;
  if (!parse(&job->child, L, code->dump, code->size)) return 0;
  if (!wf_template_restore(job->whole.mem, &job->child.dump, bytes)) {
    return luaL_error(L, "not enough memory");
  }
  if (!parse(&job->whole, L, bytes->data, bytes->size)) return 0;
  push_frame_of(L, code->nupvalues);
  if (!wf_code_take_dump(&job->frame, L, &known)) return luaL_error(L, "not enough memory");
  if (!known || !push_spliced(L, &job->whole.dump, &job->frame.dump)) return 0;
  size_t size;
  const char *spliced = lua_tolstring(L, -1, &size);
  int status = luaL_loadbuffer(L, spliced, size, "=?");
  if (status == LUA_ERRMEM) return lua_error(L);
  if (status != 0) return 0;
  lua_pushvalue(L, -1);
  lua_call(L, 0, 1);
  if (!is_instance(L, code)) return 0;
  if (code->no_jit) (void)luaJIT_setmode(L, -1, LUAJIT_MODE_FUNC | LUAJIT_MODE_OFF);
  lua_pop(L, 1);
  return 1;
}

// Pushes the factory, or false.
static void push_factory(wf_vm *vm, wf_closures *closures, lua_State *L, wf_code *code) {
  wf_mem *mem = &vm->rt->mem;
  if (!code->known || closures->plain) {
    lua_pushboolean(L, 0);
    return;
  }
  splice_job job = {
      .code = code, .child = {.mem = mem}, .frame = {.mem = mem}, .whole = {.mem = mem}};
  int status = wf_guard(vm, L, make_factory, &job, 0, 1);
  wf_code_free_digest(&job.child);
  wf_code_free_digest(&job.frame);
  wf_code_free_digest(&job.whole);
  if (status != 0) lua_error(L);
}

static void push_loaded(lua_State *L, const wf_code *code) {
  if (luaL_loadbuffer(L, code->dump, code->size, "=?") != 0) lua_error(L);
  if (code->no_jit) (void)luaJIT_setmode(L, -1, LUAJIT_MODE_FUNC | LUAJIT_MODE_OFF);
}

// Makes new upvalues for the function on top, all of them by the function at 0.
static void make_cells(lua_State *L, int factories, int n) {
  int function = lua_gettop(L);
  lua_rawgeti(L, factories, CELL_MAKER);
  for (int i = 1; i <= n; i++) {
    lua_pushvalue(L, -1);
    lua_call(L, 0, 1);
    lua_upvaluejoin(L, function, i, function + 2, 1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

void wf_closure_push(wf_vm *vm, wf_closures *closures, lua_State *L, wf_code *code, bool shares) {
  wf_closure *c = entry_of(vm, closures, L, code);
  int factories = lua_gettop(L) + 1;
  wf_vm_push_ref(vm, L, WF_REF_FACTORIES);
  if (!c->has_factory[shares]) {
    push_factory(vm, closures, L, code);
    c = entry_of(vm, closures, L, code);  // a collection may have dropped it
    lua_rawseti(L, factories, shares ? -c->slot : c->slot);
    c->has_factory[shares] = true;
  }
  lua_rawgeti(L, factories, shares ? -c->slot : c->slot);
  if (lua_isfunction(L, -1)) {
    lua_call(L, 0, 1);
    if (shares) make_cells(L, factories, code->nupvalues);
  } else {
    lua_pop(L, 1);
    push_loaded(L, code);
  }
  lua_remove(L, factories);
}
