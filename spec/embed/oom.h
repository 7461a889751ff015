// SPDX-License-Identifier: MIT
// Memory runs out in the middle of a workload (spec/embed/oom/*.lua): each allocation of it fails
// in turn, of Lua's and of C's, alone or with some that follow. Each time what fails is an error
// that says so; afterwards, with enough memory, the workload's own check finds everything usable,
// nobody who waits for nothing, and no value lost or given twice; and in the end nothing of the
// runtime is left (the allocator counts), nor, of those that have to do with the system, any
// descriptor, nor a child of the process.
//
// The workloads are interpreted, for the reason that memory.c tells.
#ifndef SPEC_OOM_H
#define SPEC_OOM_H

#include <errno.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <weft.h>

#include "check.h"
#include "descriptors.h"
#include "meter.h"
#include "sparse.h"

typedef struct oom_workload {
  const char *name;
  bool real;   // the system has a hand in it: by the machine's clock
  long every;  // a long one: each n-th allocation only (sparse.h); 0: all of them
} oom_workload;

typedef struct oom_run {
  oom_workload of;
  long n, width;
  meter m;
  weft *w;
} oom_run;

static inline void oom_complain(const oom_run *r, const char *what, const char *words) {
  (void)fprintf(stderr, "%s, allocations %ld to %ld: %s: %s\n", r->of.name, r->n,
                r->n + r->width - 1, what, words);
}

// What ends a run is that memory ran out, and nothing that comes from that.
static inline void oom_on_panic(void *ud, const char *report) {
  const oom_run *r = ud;
  bool says_so = strstr(report, "not enough memory") != NULL;
  CHECK(says_so);
  if (!says_so || getenv("WEFT_VERBOSE") != NULL) oom_complain(r, "panic", report);
}

static inline void oom_on_log(void *ud, const char *line) { oom_on_panic(ud, line); }

static inline bool oom_succeeds(oom_run *r, const char *code) {
  bool ok = weft_load_string(r->w, code, "=oom") == WEFT_OK && weft_run(r->w) == WEFT_OK;
  CHECK(ok);
  if (!ok) oom_complain(r, code, weft_error(r->w));
  return ok;
}

// Threads of the pool may have a call in their hands that nobody wants any more.
static inline bool oom_all_freed(meter *m) {
  for (int ms = 0; ms < 10000 && meter_blocks(m) != 0; ms++) (void)usleep(1000);
  return meter_blocks(m) == 0;
}

static bool oom_warming_up;

// Where a run hangs it is known which one.
static char oom_now[200];
static size_t oom_now_size;
static inline void oom_hangs(int number) {
  (void)number;
  (void)!write(STDERR_FILENO, oom_now, oom_now_size);
  _exit(1);
}

// From here on, for a minute.
static inline void oom_begin(const oom_run *r) {
  int n = snprintf(oom_now, sizeof oom_now, "%s, allocations %ld to %ld: hangs\n", r->of.name,
                   r->n, r->n + r->width - 1);
  oom_now_size = (size_t)n;
  (void)alarm(60);
}

// A run with `width` allocations failing, the n-th of the workload and those that follow; whether
// there were that many.
static inline bool oom_run_once(oom_workload of, long n, long width) {
  oom_run r = {.of = of, .n = n, .width = width, .m = meter_init()};
  weft_config config = {.alloc = metered,
                        .alloc_ud = &r.m,
                        .on_panic = oom_on_panic,
                        .on_log = oom_on_log,
                        .ud = &r,
                        .clock = of.real ? WEFT_CLOCK_REAL : WEFT_CLOCK_VIRTUAL,
                        .workers = 1};
  int descriptors = count_descriptors();
  oom_begin(&r);
  CHECK(weft_open(&config, &r.w) == WEFT_OK);
  char set_up[200];
  (void)snprintf(set_up, sizeof set_up,
                 "jit.off() package.path = 'spec/embed/oom/?.lua;' .. package.path "
                 "support = require 'support' support.load '%s'",
                 of.name);
  bool reached = false;
  if (oom_succeeds(&r, set_up)) {
    CHECK(weft_load_string(r.w, "support.work()", "=oom") == WEFT_OK);
    long from = meter_calls(&r.m) + n;
    meter_fail(&r.m, from, width);
    weft_status status = weft_run(r.w);
    bool clean = status == WEFT_OK || status == WEFT_ERR_PANIC || status == WEFT_ERR_MEMORY;
    CHECK(clean);
    if (!clean) oom_complain(&r, "work", weft_error(r.w));
    reached = meter_calls(&r.m) >= from;
    meter_fail(&r.m, 0, 0);
    // Another VM's panic may still be on its way, and end one more run.
    if (status != WEFT_OK && weft_load_string(r.w, "support.settle()", "=oom") == WEFT_OK) {
      (void)weft_run(r.w);
    }
    (void)oom_succeeds(&r, status == WEFT_OK ? "support.check(false)" : "support.check(true)");
  }
  weft_close(r.w);
  bool freed = oom_all_freed(&r.m);
  CHECK(freed);
  if (!freed) oom_complain(&r, "close", "something is left");
  if (!of.real) return reached;
  // What the process opens once, for all runtimes, is no leak.
  bool shut = count_descriptors() == descriptors || oom_warming_up;
  CHECK(shut);
  if (!shut) oom_complain(&r, "close", "a descriptor is left");
  bool reaped = waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD;
  CHECK(reaped);
  if (!reaped) oom_complain(&r, "close", "a child is left");
  return reached;
}

// With arguments: the workload of that name, from that allocation on.
static inline int oom_main(const oom_workload *workloads, size_t count, int argc, char **argv) {
  static const struct { long width, step; } modes[] = {{1, 1}, {2, 3}, {3, 5}, {20, 7}};
  (void)signal(SIGALRM, oom_hangs);
  oom_warming_up = true;
  for (size_t i = 0; i < count; i++) (void)oom_run_once(workloads[i], 1000000, 1);
  oom_warming_up = false;
  for (size_t i = 0; i < count; i++) {
    if (argc > 1 && strcmp(argv[1], workloads[i].name) != 0) continue;
    for (size_t mode = 0; mode < sizeof modes / sizeof modes[0]; mode++) {
      long every = sparse_step() * (workloads[i].every > 0 ? workloads[i].every : 1);
      long n = 1 + sparse_number("WEFT_TEST_SEED", 0) % every;
      if (argc > 2) n = strtol(argv[2], NULL, 10);
      while (n < 5000 && oom_run_once(workloads[i], n, modes[mode].width)) {
        n += modes[mode].step * every;
      }
      CHECK(n > 20 && n < 5000);
      if (getenv("WEFT_VERBOSE") != NULL) {
        (void)fprintf(stderr, "%s: %ld allocations\n", workloads[i].name, n);
      }
    }
  }
  return check_done();
}

#endif
