// SPDX-License-Identifier: MIT
// Memory runs out in the middle of a workload (spec/embed/oom/*.lua): each allocation of it fails
// in turn, of Lua's and of C's, alone or with some that follow. Each time what fails is an error
// that says so; afterwards, with enough memory, the workload's own check finds everything usable,
// nobody who waits for nothing, and no value lost or given twice; and in the end nothing of the
// runtime is left (the allocator counts).
//
// The workloads are interpreted, for the reason that memory.c tells.
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#include "check.h"
#include "meter.h"
#include "sparse.h"

typedef struct run {
  const char *name;
  long n, width;
  meter m;
  weft *w;
} run;

static void complain(const run *r, const char *what, const char *words) {
  (void)fprintf(stderr, "%s, allocations %ld to %ld: %s: %s\n", r->name, r->n, r->n + r->width - 1,
                what, words);
}

// What ends a run is that memory ran out, and nothing that comes from that.
static void on_panic(void *ud, const char *report) {
  const run *r = ud;
  bool says_so = strstr(report, "not enough memory") != NULL;
  CHECK(says_so);
  if (!says_so || getenv("WEFT_VERBOSE") != NULL) complain(r, "panic", report);
}

static void on_log(void *ud, const char *line) { on_panic(ud, line); }

static bool succeeds(run *r, const char *code) {
  bool ok = weft_load_string(r->w, code, "=oom.c") == WEFT_OK && weft_run(r->w) == WEFT_OK;
  CHECK(ok);
  if (!ok) complain(r, code, weft_error(r->w));
  return ok;
}

// A run with `width` allocations failing, the n-th of the workload and those that follow; whether
// there were that many.
static bool run_once(const char *name, long n, long width) {
  run r = {.name = name, .n = n, .width = width, .m = meter_init()};
  weft_config config = {.alloc = metered,
                        .alloc_ud = &r.m,
                        .on_panic = on_panic,
                        .on_log = on_log,
                        .ud = &r,
                        .clock = WEFT_CLOCK_VIRTUAL,
                        .workers = 1};
  CHECK(weft_open(&config, &r.w) == WEFT_OK);
  char set_up[200];
  (void)snprintf(set_up, sizeof set_up,
                 "jit.off() package.path = 'spec/embed/oom/?.lua;' .. package.path "
                 "support = require 'support' support.load '%s'",
                 name);
  bool reached = false;
  if (succeeds(&r, set_up)) {
    CHECK(weft_load_string(r.w, "support.work()", "=oom.c") == WEFT_OK);
    long from = r.m.calls + n;
    meter_fail(&r.m, from, width);
    weft_status status = weft_run(r.w);
    bool clean = status == WEFT_OK || status == WEFT_ERR_PANIC || status == WEFT_ERR_MEMORY;
    CHECK(clean);
    if (!clean) complain(&r, "work", weft_error(r.w));
    reached = r.m.calls >= from;
    meter_fail(&r.m, 0, 0);
    // Another VM's panic may still be on its way, and end one more run.
    if (status != WEFT_OK && weft_load_string(r.w, "support.settle()", "=oom.c") == WEFT_OK) {
      (void)weft_run(r.w);
    }
    (void)succeeds(&r, status == WEFT_OK ? "support.check(false)" : "support.check(true)");
  }
  weft_close(r.w);
  CHECK(r.m.blocks == 0);
  if (r.m.blocks != 0) complain(&r, "close", "something is left");
  return reached;
}

// With arguments: the workload of that name, from that allocation on.
int main(int argc, char **argv) {
  static const char *const workloads[] = {"chan",      "select",  "context", "time",   "task",
                                          "coroutine", "require", "sync",    "shared", "panic"};
  static const struct { long width, step; } modes[] = {{1, 1}, {2, 3}, {3, 5}, {20, 7}};
  for (size_t i = 0; i < sizeof workloads / sizeof workloads[0]; i++) {
    if (argc > 1 && strcmp(argv[1], workloads[i]) != 0) continue;
    for (size_t mode = 0; mode < sizeof modes / sizeof modes[0]; mode++) {
      long n = argc > 2 ? strtol(argv[2], NULL, 10) : 1 + sparse_start();
      while (n < 5000 && run_once(workloads[i], n, modes[mode].width)) {
        n += modes[mode].step * sparse_step();
      }
      CHECK(n > 20 && n < 5000);
      if (getenv("WEFT_VERBOSE") != NULL) {
        (void)fprintf(stderr, "%s: %ld allocations\n", workloads[i], n);
      }
    }
  }
  return check_done();
}
