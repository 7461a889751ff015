// SPDX-License-Identifier: MIT
// Several runtimes at once, each with a monitor that reports and interrupts, while tasks come and
// go, places are added and the worker sleeps and wakes: everything that the two threads share.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#include "check.h"

// The torture build interrupts every 50 instructions, and collects at every switch.
#ifdef WEFT_TORTURE
#define STEPS "1000"
#else
#define STEPS "50000"
#endif

enum { THREADS = 3, ROUNDS = 2 };

static atomic_int lines, strange;

static void on_log(void *ud, const char *line) {
  (void)ud;
  atomic_fetch_add(&lines, 1);
  // Whole, and about a task of this script.
  if (strncmp(line, "weft: task ", 11) != 0 || line[strlen(line) - 1] != '\n' ||
      (strstr(line, "; created by task 1 at ") == NULL &&
       strstr(line, "; created by the host") == NULL)) {
    (void)fprintf(stderr, "%s", line);
    atomic_fetch_add(&strange, 1);
  }
}

// Interpreted: ThreadSanitizer holds signals back until the program calls into the C library.
static const char script[] =
    "jit.off()\n"
    "local weft = require 'weft'\n"
    "local function compute(s) local t = os.clock() while os.clock() - t < s do end end\n"
    "local stop, turns = false, 0\n"
    "weft.go(function() while not stop do turns = turns + 1 weft.yield() end end)\n"
    "local wg = weft.sync.waitgroup()\n"
    "for i = 1, 4 do\n"
    "  wg:go(function()\n"
    "    weft.preempt(true)\n"
    "    local sum = 0\n"
    "    for k = 1, " STEPS
    " do sum = sum + k % i end\n"
    "    local want = 0\n"
    "    for k = 0, i - 1 do\n"
    "      want = want + k * math.floor((" STEPS
    " - k) / i + (k > 0 and 1 or 0))\n"
    "    end\n"
    "    assert(sum == want, sum .. ' ' .. want)\n"
    "  end)\n"
    "end\n"
    // tasks that end when they are being looked at, in slabs that are given back then, from places
    // that are new
    "for round = 1, 3 do\n"
    "  local code = { 'local weft, work = require [[weft]], ... ' }\n"
    "  for i = 1, 60 do code[i + 1] = 'weft.go(work)\\n' end\n"
    "  local more = assert(loadstring(table.concat(code), '=round' .. round))\n"
    "  for k = 1, 5 do\n"
    "    more(function()\n"
    "      coroutine.running()\n"
    "      compute(k == 1 and 0.002 or 0.0001)\n"
    "    end)\n"
    "    weft.yield()\n"
    "  end\n"
    "  weft.sleep(0.01)\n"
    "end\n"
    "wg:wait()\n"
    "stop = true\n"
    "weft.sleep(0.02)\n"
    "assert(turns > 0)\n";

static void *work(void *arg) {
  for (int i = 0; i < ROUNDS; i++) {
    weft_config config = {.on_log = on_log, .warn_hog_ms = 1};
    weft *w = NULL;
    if (weft_open(&config, &w) != WEFT_OK) return arg;
    weft_status status = weft_load_string(w, script, "=thread");
    if (status == WEFT_OK) status = weft_run(w);
    if (status != WEFT_OK) (void)fprintf(stderr, "%s\n", weft_error(w));
    weft_close(w);
    if (status != WEFT_OK) return arg;
  }
  return NULL;
}

int main(void) {
  pthread_t threads[THREADS];
  int mark = 0;
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, work, &mark) == 0);
  for (int i = 0; i < THREADS; i++) {
    void *failed = NULL;
    CHECK(pthread_join(threads[i], &failed) == 0);
    CHECK(failed == NULL);
  }
  CHECK(atomic_load(&lines) > 0 && atomic_load(&strange) == 0);
  return check_done();
}
