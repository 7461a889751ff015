/* SPDX-License-Identifier: MIT
 *
 * weft: Go's concurrency for Lua, as a library.
 *
 * A runtime owns a LuaJIT state in which `require "weft"` gives tasks, channels, select, contexts
 * and timers. The smallest host:
 *
 *     weft *w;
 *     if (weft_open(NULL, &w) != WEFT_OK) return 1;
 *     if (weft_load_string(w, "require'weft'.sleep(0.1)", "=demo") == WEFT_OK) weft_run(w);
 *     weft_close(w);
 *
 * Threads: a runtime belongs to one thread at a time; different runtimes share nothing and may run
 * on different threads at once. No function here may be called from inside a callback of the same
 * runtime, nor from a C function that a script calls, unless it says so.
 *
 * Errors: functions return a weft_status. weft_error(w) then has the words.
 */
#ifndef WEFT_H
#define WEFT_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define WEFT_API __attribute__((visibility("default")))
#else
#define WEFT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct lua_State;
struct uv_loop_s;

/* A runtime. */
typedef struct weft weft;

typedef enum weft_status {
  WEFT_OK = 0,
  WEFT_ERR_LOAD = 1,     /* the script cannot be read or does not compile */
  WEFT_ERR_PANIC = 2,    /* an error that nobody caught, or a failed Future nobody awaited */
  WEFT_ERR_DEADLOCK = 3, /* all tasks are asleep for ever */
  WEFT_ERR_MEMORY = 4,   /* memory is out */
  WEFT_ERR_SYSTEM = 5,   /* the system refuses something: descriptors */
  WEFT_ERR_MISUSE = 6    /* called where it may not be, or without what it needs */
} weft_status;

typedef enum weft_clock {
  WEFT_CLOCK_REAL = 0,
  WEFT_CLOCK_VIRTUAL = 1 /* jumps to the next timer when every task waits: for tests */
} weft_clock;

/* How to open a runtime. Zero means the default for every field. */
typedef struct weft_config {
  /* Called with the report of a panic or deadlock that ends a run or step: several lines that end
   * with a newline. Default: the report goes to stderr. */
  void (*on_panic)(void *ud, const char *report);
  /* Called with warnings and notes: one line with its newline. Default: stderr. */
  void (*on_log)(void *ud, const char *line);
  /* Called after weft_interrupt, between two tasks or while all of them wait. It may call
   * weft_dump, and nothing else here. Default: none. */
  void (*on_interrupt)(void *ud);
  /* Handed to those above. */
  void *ud;
  /* As lua_Alloc; every byte that the runtime takes itself comes through it. libuv keeps its own.
   * Default: the C library's, and LuaJIT's own for Lua. */
  void *(*alloc)(void *alloc_ud, void *ptr, size_t osize, size_t nsize);
  void *alloc_ud;
  weft_clock clock;
  /* Seeds the choices of select. Default: a number that differs from run to run. */
  uint64_t seed;
  /* Not zero: lists, through on_log, the tasks that are cut off when main returns. */
  int warn_pending;
  /* Not zero: lists, through on_log, the tasks that can never wake again when main returns,
   * because nothing that can still run refers to what they wait on. */
  int warn_leaks;
  /* Not zero: reports, through on_log, each connection, file and the like that was collected
   * without having been closed. */
  int warn_unclosed;
  /* Workers: threads that run isolated tasks (weft.spawn, weft.parallel), the calling one
   * included. They are started when the first such task is. Default: what the environment variable
   * WEFT_WORKERS says, else the cores that the process may use. */
  uint32_t workers;
  /* Not zero: the thread that calls weft_run or weft_step runs no isolated tasks. There are at
   * least 2 workers then. */
  int keep_free;
  /* How long weft_close waits for isolated tasks to give their threads back, in milliseconds; what
   * does not is named through on_log and left running, with all memory of the runtime. Default:
   * 1000. */
  uint32_t close_wait_ms;
  /* Not zero: the process is about to end, and nobody needs to hear of what was left running. */
  int close_quietly;
  /* Reports, through on_log, each task that keeps the others of its VM waiting for more than that
   * many milliseconds, on the thread that runs the VM; the report of one that does not come to an
   * end is made while it goes on, by a thread of the runtime's own, and on_log is called there.
   * Default: nobody watches. */
  uint32_t warn_hog_ms;
  /* Not zero: every task may be interrupted, as if it had called weft.preempt(true). The runtime
   * has a thread then, and, if nobody else uses it, LuaJIT's profiler with its SIGPROF, which is
   * sent only to the thread that runs the tasks; it must not be blocked there. */
  int preempt;
} weft_config;

/* What has a runtime's thread at the moment. */
typedef struct weft_running_info {
  uint64_t task;       /* the number of the running task; 0: none runs */
  uint64_t creator;    /* that of the task which started it; 0: the host did */
  double seconds;      /* since when it has had the thread, at most */
  char created_at[88]; /* "file:line", where it was started; "?" when that is not known */
} weft_running_info;

/* What a step leaves behind. */
typedef struct weft_step_info {
  uint64_t tasks;    /* live */
  uint64_t ready;    /* of these, ready to go on */
  double next_timer; /* seconds until the next timer is due; negative: there is none */
} weft_step_info;

/* "0.1.0" */
WEFT_API const char *weft_version(void);

/* Opens a runtime with its own LuaJIT state and the standard libraries. `config` may be NULL.
 * On failure *out is NULL. */
WEFT_API weft_status weft_open(const weft_config *config, weft **out);

/* Ends the runtime: what its tasks were doing is dropped, handles are closed, the Lua state and
 * all memory go. NULL is fine. Blocks only for finalisers of the script. */
WEFT_API void weft_close(weft *w);

/* Loads a script as the main chunk of the next run. `path` NULL: standard input. */
WEFT_API weft_status weft_load_file(weft *w, const char *path);

/* Loads code; `name` is a Lua chunk name ("=demo", "@file.lua"). */
WEFT_API weft_status weft_load_buffer(weft *w, const char *code, size_t size, const char *name);
WEFT_API weft_status weft_load_string(weft *w, const char *code, const char *name);

/* Has the next main task `require` a module before its own chunk. May be called again for more.
 * A module that does not exist makes weft_run return WEFT_ERR_LOAD. */
WEFT_API weft_status weft_require(weft *w, const char *module);

/* Sets the global `arg`, argv[script] at index 0, and what the main chunk gets as `...`: what
 * comes after it. */
WEFT_API weft_status weft_set_args(weft *w, int argc, char *const *argv, int script);

/* Runs the loaded chunk as main task until it returns, or until a panic or deadlock. Blocks. */
WEFT_API weft_status weft_run(weft *w);

/* Makes the loaded chunk a task, to be run by weft_step. */
WEFT_API weft_status weft_start(weft *w);

/* Runs what is ready, for at most `budget_s` seconds of the machine's time (0: until nothing is
 * ready), without blocking. With dt_s >= 0 the clock that scripts see goes by game time from then
 * on and advances by that much; pass a negative one for the machine's time. What is left of the
 * budget goes to Lua's collector. With a budget isolated tasks are for the other workers, if there
 * are any. `info` may be NULL. */
WEFT_API weft_status weft_step(weft *w, double budget_s, double dt_s, weft_step_info *info);

/* Has config.on_interrupt called, soon: as soon as the running task waits, yields or ends, at once
 * when all tasks wait; between runs and steps, in the next one. From any thread, also while a run
 * is in progress, and from signal handlers: for a host that is asked what its program is doing. */
WEFT_API void weft_interrupt(weft *w);

/* Writes all tasks to a file descriptor: state, what is waited on and since when, stack and
 * creator, those that are equal together. Inside on_interrupt, or between runs and steps. Blocks
 * for the descriptor alone. WEFT_ERR_SYSTEM when that takes no more. */
WEFT_API weft_status weft_dump(weft *w, int fd);

/* What runs, for when on_interrupt does not come: code between two blocking calls cannot be
 * interrupted. From signal handlers on the runtime's own thread. */
WEFT_API void weft_running(const weft *w, weft_running_info *info);

/* The words of the last failure; "" when there was none. Valid until the next call. */
WEFT_API const char *weft_error(const weft *w);

/* The Lua state, for registering functions and reading globals between runs and steps. */
WEFT_API struct lua_State *weft_lua(weft *w);

/* The libuv loop that runs and steps turn, for handles of your own: as long as one is active,
 * tasks that all wait are no deadlock. Close your handles before weft_close. */
WEFT_API struct uv_loop_s *weft_loop(weft *w);

/* The entry point of the Lua module, for hosts that link the library into their own process. */
WEFT_API int luaopen_weft(struct lua_State *L);

#ifdef __cplusplus
}
#endif

#endif
