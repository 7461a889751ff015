// SPDX-License-Identifier: MIT
// Several runtimes in one process at once, each on a thread of its own.
#include <lauxlib.h>
#include <pthread.h>
#include <weft.h>

#include "check.h"

enum { THREADS = 4, ROUNDS = 5 };

static const char script[] =
    "local weft = require 'weft'\n"
    "local a, b, sum = weft.chan(), weft.chan(4), 0\n"
    "weft.go(function() for i = 1, 2000 do a:send(i) end a:close() end)\n"
    "weft.go(function() for v in a do b:send(v) weft.yield() end b:close() end)\n"
    "for v in b do sum = sum + v end\n"
    "weft.sleep(0.001)\n"
    "assert(sum == 2001000)";

static void *work(void *arg) {
  for (int i = 0; i < ROUNDS; i++) {
    weft *w = NULL;
    if (weft_open(NULL, &w) != WEFT_OK) return arg;
    weft_status status = weft_load_string(w, script, "=thread");
    if (status == WEFT_OK) status = weft_run(w);
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
  return check_done();
}
