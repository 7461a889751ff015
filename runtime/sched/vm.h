// SPDX-License-Identifier: MIT
// A VM is a memory: one LuaJIT state with its heap, the tasks that live in it, its clock, timers
// and ready queue. Tasks of a VM never run at the same instant, so nothing here needs a lock; all
// of it belongs to the thread of the VM's worker.
#ifndef WF_SCHED_VM_H
#define WF_SCHED_VM_H

#include <lua.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/size.h"
#include "loop/clock.h"
#include "loop/timer.h"
#include "sched/runq.h"

struct wf_runtime;
struct wf_worker;
struct wf_task;
struct wf_slab;
struct wf_site;

// Counters of weft.stats(); they only ever grow, but for `tasks`.
typedef struct wf_vm_stats {
  uint64_t switches;  // the number of the slice; the monitor peeks
  uint64_t parks, polls, timers, spawned, preemptions;
  uint64_t tasks;  // live now
  uint64_t lock_waits, lock_wait_ns;
} wf_vm_stats;

// Blocks of 1, 2, 4, … 32 waiters are kept for reuse.
enum { WF_WAIT_CLASSES = WF_SIZE(6, 1) };
enum { WF_VM_RECENT = WF_SIZE(4096, 1) };

// The free and the used task structs (task/task.c).
typedef struct wf_task_pool {
  wf_link slabs;  // with free structs, first the ones to use
  wf_link full_slabs;
  struct wf_task *warm;  // finished tasks whose coroutine is reused
  uint32_t warm_count;
} wf_task_pool;

// Fruitless polls (task/park.c).
typedef struct wf_polls {
  uint64_t slice;     // the count of switches at the last one
  uint64_t start_ns;  // the coarse clock at the first one of that slice
  uint64_t passed;    // the count of switches when one ended its slice last
  uint32_t ready;     // how many tasks were ready then
  uint32_t slices;    // ended by one, without a break
  uint32_t count;     // in these, and since
} wf_polls;

// The latest answers, by the address of the chunk's name (WF_REF_SOURCES keeps it) and the line.
typedef struct wf_site_entry {
  const char *source;
  int line;
  uint32_t site;
} wf_site_entry;

enum { WF_SITE_CACHE = WF_SIZE(64, 1) };

enum { WF_REFS = 56 };  // room for each wf_vm_ref, and for a few more in the registry

// Where `go` was called (task/site.c).
typedef struct wf_sites {
  struct wf_site *list;
  uint32_t *table;  // open addressing, numbers from 1
  uint32_t count, slots;
  bool moving;  // the list is, just now: for signal handlers
  wf_site_entry cache[WF_SITE_CACHE];
  uint32_t named;     // the last one that came as text
  bool frames_known;  // the caller's frame can be read (task/frame.h)
} wf_sites;

// Tasks that may be interrupted (task/preempt.c).
typedef struct wf_preempt {
  bool on;              // the hook belongs into this VM; the monitor peeks
  uint32_t tasks;       // live tasks that have asked for it
  uint64_t nudge;       // the slice that is to be looked into; written by the monitor
  lua_State *caught;    // the coroutine whose hook has yielded just now
  uint32_t steps;       // from there, to a place where it can stay
  wf_runq stopped;      // interrupted tasks: ready, but others had to wait for them
  uint64_t stopped_ns;  // the coarse clock when the last one was put there
  // The profiler's signal. A handler on this same thread reads and writes the first three.
  volatile sig_atomic_t hold;             // it is to leave LuaJIT alone
  volatile sig_atomic_t asked, answered;  // signals, and the last one that LuaJIT has answered
  sig_atomic_t doubtful;                  // one that it has not answered
  uint64_t slice, slice_ns;  // where nobody else watches: the slice, and when it was seen first
} wf_preempt;

// Blocks that I/O reads into (io/block.h).
typedef struct wf_blocks {
  char *free;  // a list
  uint32_t kept, used;
  uint32_t left;  // streams whose bytes the system has until a task that is ready reads them
} wf_blocks;

typedef struct wf_vm {
  struct wf_runtime *rt;
  struct wf_worker *worker;
  lua_State *L;             // the scheduler's own state: no task ever runs on it
  lua_State *host;          // the main thread of the Lua state; NULL: not seen yet
  struct wf_task *current;  // the task that runs now, NULL between tasks; the monitor peeks
  double current_id;        // its number, for compiled code (lua/weft/internal/sync/mutex.lua)
  const void *own;       // wf_task.own of the one that ran last: not NULL, its calls have to look
  lua_State *running;    // the innermost coroutine that weft resumed
  lua_State *broken_at;  // when not chain_ok: the one whose stack holds the C function
  bool chain_ok;         // every coroutine from the task down to `running` can yield
  bool main_failed;      // main has ended by an error that weft.on_panic's function got
  bool stop;             // run no further task: main has ended, or a panic
  atomic_bool interrupted;    // wf_hooks.interrupt is to be called (sched/worker.c)
  bool hog;                   // set by the monitor: the slice is to be reported when it ends
  bool busy;                  // a run or a step is under way
  uint8_t task_flags;         // of a new task
  uint32_t depth;             // of coroutines in coroutines, on the C stack now
  int error_depth;            // the depth of the stack at error_at, INT32_MAX: it left a coroutine
  const lua_State *error_at;  // the coroutine that the error noted last has reached
  const char *stack_base;     // where the first of these was resumed, on the C stack
  wf_runq runq;
  wf_preempt preempt;
  wf_clock clock;
  uint64_t next_id, last_id;  // of the numbers for tasks that are the VM's
  uint64_t start_ns;          // zero of weft.time.monotonic()
  uint64_t now_ns;            // the clock at the last turn of the loop,
  uint64_t turn_ns;           // and the machine's time
  wf_polls polls;
  uint64_t batch_ns;  // the coarse clock at the last look at it between tasks
  wf_timers timers;
  wf_task_pool tasks;
  wf_sites sites;
  struct wf_waits *free_waits[WF_WAIT_CLASSES];  // task/park.c
  struct wf_remote *free_remotes;                // task/remote.c
  struct wf_remote_place *free_places;
  wf_rand rand;
  // The addresses of tables that the registry keeps: the globals, weft.default, the metatables of
  // send cases and of receiving views.
  const void *globals, *default_case, *case_type, *view_type, *send_view_type;
  int refs[WF_REFS];       // registry references (sched/vm.h: wf_vm_ref)
  struct wf_codec *codec;  // once a value has crossed (task/codec.h)
  uint64_t paths_version;  // of the search paths that it has (task/isolated.h)
  uint64_t settled;        // the count of switches at the last collection of wf_hooks.settle
  wf_link held;            // objects that wait for something (task/obj.h)
  const void *recent[WF_VM_RECENT];  // proxies known to be alive, by address (task/obj.h)
  uint64_t objects;                  // shareable objects that still exist
  wf_blocks blocks;                  // for reading (io/block.h)
  struct wf_dns *dns;                // once a name has been looked up (io/dns.h)
  bool closing;                      // the Lua state is about to go
  bool orphaned;                     // it is gone; the last object takes the runtime with it
  bool owns_state;                   // lua_close at the end
  int main_ref;                      // anchor of L
  int collected_kb;                  // the heap after the last collection that a step has finished
  int gc_pause;                      // the collector's, as weft has set it last (sched/heap.h)
  int idle_cycles;  // of the collector, still to be finished while the VM has nothing to do
  uint32_t answered_at_once;  // calls of io that the system has not kept waiting
  wf_vm_stats stats;
} wf_vm;

// Tasks that are ready.
static inline uint32_t wf_vm_ready(const wf_vm *vm) {
  return vm->runq.count + vm->preempt.stopped.count;
}

// Lets one of the interrupted tasks stand with the others again; false when there is none.
static inline bool wf_vm_readmit(wf_vm *vm) {
  wf_runnable *r = wf_runq_pop(&vm->preempt.stopped);
  if (r == NULL) return false;
  wf_runq_push(&vm->runq, r);
  return true;
}

// Values that must be at hand where nothing may allocate.
typedef enum wf_vm_ref {
  WF_REF_CLOSED,        // "closed"
  WF_REF_CANCELED,      // "context canceled"
  WF_REF_DEADLINE,      // "context deadline exceeded"
  WF_REF_RUN_DEFERS,    // lua/weft/internal/task.lua: run_defers
  WF_REF_OVERDUE,       // lua/weft/internal/task.lua: overdue
  WF_REF_RECLAIM,       // lua/weft/internal/task.lua: reclaim
  WF_REF_LANDINGS,      // task/unwind.h
  WF_REF_ON_PANIC,      // weft.on_panic's function, or LUA_NOREF
  WF_REF_PROXY_MT,      // of userdata proxies that are hidden in a table
  WF_REF_CHAN_MT,       // of unbuffered channels
  WF_REF_SYSTEM_MT,     // of ones that only weft sends on
  WF_REF_BUFFER_MT,     // of buffered ones
  WF_REF_VIEW_MT,       // of views that only receive
  WF_REF_SEND_VIEW_MT,  // and of those that only send
  WF_REF_SHARED_MT,     // of channels that have crossed
  WF_REF_SYNC_TYPES,    // the same of the objects of weft.sync, by their type (conc/sync.h)
  WF_REF_CASE_MT,       // of send cases of a select
  WF_REF_DEFAULT,       // weft.default
  WF_REF_RAW,           // the table of C functions that weft's Lua modules are built on
  WF_REF_ERROR_PATH,    // task/trace.c
  WF_REF_STRAY_YIELD,   // the error of a task that yields past weft
  WF_REF_ENV,        // what weft's Lua modules see as globals: a copy, made before any script ran
  WF_REF_SOURCES,    // names of chunks, as keys
  WF_REF_REPORT,     // lua/weft/internal/report.lua: report(kind)
  WF_REF_ANCHORS,    // what wf_vm_anchor keeps
  WF_REF_FUNCTIONS,  // Lua functions whose code is known: function -> its entry (task/closure.h)
  WF_REF_PROTOS,     // bytecode's address -> a function that has it, weak (task/closure.c)
  WF_REF_FACTORIES,  // slot -> factory
  WF_REF_GLOBAL_NAMES,  // slot -> the names of globals that the code reads
  WF_REF_NAMES,         // values that cross by name, both ways (task/names.h)
  WF_REF_TYPES,         // registered metatables, both ways (task/names.h)
  WF_REF_PROXIES,       // objects that have crossed: core -> proxy, weak (task/core.h)
  WF_REF_INT64,         // {ffi.istype, int64_t, uint64_t}, or false
  WF_REF_TASK_ENV_MT,   // of the environments of functions from other VMs
  WF_REF_KEYS,          // strings that were keys lately (task/codec.h)
  WF_REF_GUARD,         // task/guard.c
  WF_REF_PACKAGE,       // the library: `package`,
  WF_REF_PATH,          // and what path and cpath were in the main VM when a task was spawned last
  WF_REF_CPATH,
  WF_REF_CONTEXT_MT,  // of contexts; these three are there once weft.context has been loaded
  WF_REF_BACKGROUND,
  WF_REF_TODO,
  WF_REF_FACES,   // functions that stand for objects which have crossed (lib/face.c), weak
  WF_REF_SCOPED,  // whether vm->own is set, at 1 (lua/weft/internal/scope.lua)
} wf_vm_ref;

static inline void wf_vm_push_ref(wf_vm *vm, lua_State *L, wf_vm_ref ref) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, vm->refs[ref]);
}

// Anchors the value on top of L's stack under `ref`, in place of what was there; pops it. Raises
// on L when memory is out.
void wf_vm_set_ref(wf_vm *vm, lua_State *L, wf_vm_ref ref);

// Keeps the value on top of L's stack (popped) on behalf of a task or an object; what is returned
// gets it back. Unlike what stands in the registry it counts as referred to only by its owner
// (task/leaks.h). Raises on L when memory is out.
int wf_vm_anchor(wf_vm *vm, lua_State *L);

// Takes one slot of L and allocates nothing.
void wf_vm_push_anchor(wf_vm *vm, lua_State *L, int anchor);

// Lets go of it; nothing for LUA_NOREF. Allocates nothing.
void wf_vm_drop_anchor(wf_vm *vm, int anchor);

// The VM whose task runs on this thread now; NULL between tasks.
extern _Thread_local wf_vm *wf_vm_here __attribute__((tls_model("initial-exec")));

// lua_cpcall on the scheduler's own state with the collector at rest, so that nobody's finaliser
// runs inside, where its error would be taken for one of weft's. 0, or the status, and then the
// error value is on top of vm->L.
int wf_vm_call_protected(wf_vm *vm, lua_CFunction fn, void *arg);

// L is a coroutine of the host's: notes it when it is the main thread of the Lua state.
void wf_vm_meet_host(wf_vm *vm, lua_State *L);

// Prepares the struct for the universe of `host`, whose main thread or coroutine it may be; the
// scheduler gets a thread of its own there. 0, or -1 when memory is out (nothing is left behind).
int wf_vm_init(wf_vm *vm, struct wf_runtime *rt, struct wf_worker *worker, lua_State *host);

// Lets go of everything but the Lua state itself.
void wf_vm_deinit(wf_vm *vm);

#endif
