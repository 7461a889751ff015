// SPDX-License-Identifier: MIT
// Another thread that peeks at the running task all the time, as the monitor does a few times a
// second, while tasks, their slabs and their places come and go: for ThreadSanitizer and
// AddressSanitizer, and to see that what is read belongs together.
#include "task/hog.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "../embed/check.h"
#include "api.h"
#include "task/task.h"

static atomic_bool over;
static atomic_int peeks, strange;

static void *peek(void *arg) {
  wf_vm *vm = arg;
  while (!atomic_load(&over)) {
    wf_hog hog = {0};
    wf_monitor_lock(vm);
    uint64_t slice = wf_load_acquire(&vm->stats.switches);
    const struct wf_task *task = wf_load_acquire(&vm->current);
    if (task != NULL) wf_hog_peek(vm, task, &hog);
    bool same = task != NULL && wf_load_acquire(&vm->current) == task &&
                wf_load_acquire(&vm->stats.switches) == slice;
    wf_monitor_unlock(vm);
    // The main task of the second run makes every other one, in chunks of these names.
    bool fits = hog.creator == 0 ? hog.task == 2 && strcmp(hog.created, "?") == 0
                                 : hog.creator == 2 && strncmp(hog.created, "round", 5) == 0;
    if (same) atomic_fetch_add(fits ? &peeks : &strange, 1);
  }
  return NULL;
}

static const char script[] =
    "jit.off()\n"
    "local weft = require 'weft'\n"
    "local function work() coroutine.running() for _ = 1, 2000 do end end\n"
    "for round = 1, 40 do\n"
    "  local code = { 'local weft, work = require [[weft]], ... ' }\n"
    "  for i = 1, 60 do code[i + 1] = 'weft.go(work)\\n' end\n"
    "  local more = assert(loadstring(table.concat(code), '=round' .. round))\n"
    "  for k = 1, 10 do more(work) end\n"
    "  weft.sleep(0.0001)\n"
    "end\n";

int main(void) {
  // Nobody is reported, but there is a monitor with its lock.
  weft_config config = {.warn_hog_ms = 1000000};
  weft *w = NULL;
  CHECK(weft_open(&config, &w) == WEFT_OK);
  CHECK(weft_load_string(w, "", "=first") == WEFT_OK && weft_run(w) == WEFT_OK);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, peek, &w->rt.vm) == 0);
  CHECK(weft_load_string(w, script, "=script") == WEFT_OK && weft_run(w) == WEFT_OK);
  atomic_store(&over, true);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(atomic_load(&peeks) > 100 && atomic_load(&strange) == 0);
  weft_close(w);
  return check_done();
}
