// SPDX-License-Identifier: MIT
// Watching and interrupting tasks, from a host: reports come through on_log; LuaJIT's profiler,
// one a process, goes from one runtime to the next; closing leaves no thread, hook or handler.
#include <dirent.h>
#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>
#include <weft.h>

#include "check.h"

// What was logged, from whichever thread; `elsewhere` counts lines of other threads than this one.
static char logged[8192];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t main_thread;
static atomic_int lines, elsewhere;

static void on_log(void *ud, const char *line) {
  (void)ud;
  (void)pthread_mutex_lock(&lock);
  size_t used = strlen(logged);
  (void)snprintf(logged + used, sizeof logged - used, "%s", line);
  (void)pthread_mutex_unlock(&lock);
  if (pthread_equal(pthread_self(), main_thread) == 0) atomic_fetch_add(&elsewhere, 1);
  atomic_fetch_add(&lines, 1);
}

static int has_logged(lua_State *L) {
  lua_pushinteger(L, atomic_load(&lines));
  return 1;
}

static void forget_log(void) {
  logged[0] = '\0';
  atomic_store(&lines, 0);
  atomic_store(&elsewhere, 0);
}

static weft *open_with(uint32_t warn_hog_ms, int preempt) {
  weft_config config = {.on_log = on_log, .warn_hog_ms = warn_hog_ms, .preempt = preempt};
  weft *w = NULL;
  CHECK(weft_open(&config, &w) == WEFT_OK);
  lua_pushcfunction(weft_lua(w), has_logged);
  lua_setglobal(weft_lua(w), "has_logged");
  return w;
}

static weft_status run(weft *w, const char *code) {
  weft_status status = weft_load_string(w, code, "=test");
  if (status == WEFT_OK) status = weft_run(w);
  if (status != WEFT_OK) (void)fprintf(stderr, "%s\n", weft_error(w));
  return status;
}

static int threads(void) {
  int n = 0;
  DIR *dir = opendir("/proc/self/task");
  if (dir == NULL) return 1;  // not Linux: nothing to see
  for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir))
    n += e->d_name[0] != '.';
  (void)closedir(dir);
  return n;
}

static bool profiler_is_free(void) {
  struct sigaction now;
  (void)sigaction(SIGPROF, NULL, &now);
  return now.sa_handler == SIG_DFL;
}

// The sleeper wakes while the other computes, or the run ends after ten seconds without it.
static const char compiled_hog[] =
    "local weft = require 'weft'\n"
    "local woken, give_up = false, os.time() + 10\n"
    "weft.go(function() weft.sleep(0.01) woken = true end)\n"
    "weft.yield()\n"
    "assert(weft.preempt(true) ~= nil)\n"
    "local function part() for _ = 1, 1e7 do if woken then return true end end end\n"
    "while not part() do if os.time() > give_up then break end end\n"
    "result = woken";

static bool interrupts(weft *w) {
  CHECK(run(w, compiled_hog) == WEFT_OK);
  lua_getglobal(weft_lua(w), "result");
  bool woken = lua_toboolean(weft_lua(w), -1) != 0;
  lua_pop(weft_lua(w), 1);
  return woken;
}

static void reports(void) {
  forget_log();
  weft *w = open_with(50, 0);
  CHECK(run(w,
            "local weft = require 'weft'\n"
            "weft.go(function() while true do weft.yield() end end)\n"
            "local t = os.clock() while os.clock() - t < 0.15 do end\n"
            "weft.sleep(0.001)") == WEFT_OK);
  CHECK(atomic_load(&lines) == 1 && atomic_load(&elsewhere) == 0);
  CHECK(strstr(logged, "weft: task 1 kept its VM for ") == logged);
  CHECK(strstr(logged, "until test:4 (sleep); created by the host\n") != NULL);
  forget_log();
  CHECK(run(w,
            "require 'weft'.go(print)\n"
            "while has_logged() == 0 do end") == WEFT_OK);
  CHECK(atomic_load(&elsewhere) == 1);
  CHECK(strstr(logged, "has kept its VM for ") != NULL);
  weft_close(w);
  CHECK(threads() == 1);
  forget_log();
  w = open_with(0, 0);
  CHECK(run(w,
            "require 'weft'.go(function() end)\n"
            "local t = os.clock() while os.clock() - t < 0.3 do end") == WEFT_OK);
  CHECK(atomic_load(&lines) == 0 && threads() == 1);  // nobody watches by default
  weft_close(w);
}

// I/O that nobody looks at counts as somebody who waits.
static void on_readable(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  (void)uv_poll_stop(poll);
}

static void pending_io(void) {
  forget_log();
  weft *w = open_with(50, 0);
  int ends[2];
  CHECK(pipe(ends) == 0);
  uv_poll_t poll;
  CHECK(uv_poll_init(weft_loop(w), &poll, ends[0]) == 0);
  CHECK(uv_poll_start(&poll, UV_READABLE, on_readable) == 0);
  const char compute[] =
      "local weft = require 'weft'\n"
      "weft.sleep(0.001)\n"
      "local t = os.clock() while os.clock() - t < 0.15 do end";
  CHECK(run(w, compute) == WEFT_OK);
  CHECK(atomic_load(&lines) == 0);
  // The watcher is in the kernel's set by now; what it waits for comes while the task computes.
  CHECK(write(ends[1], "x", 1) == 1);
  CHECK(run(w, "local t = os.clock() while os.clock() - t < 0.15 do end") == WEFT_OK);
  CHECK(atomic_load(&lines) == 1);
  uv_close((uv_handle_t *)&poll, NULL);
  (void)uv_run(weft_loop(w), UV_RUN_NOWAIT);
  weft_close(w);
  (void)close(ends[0]);
  (void)close(ends[1]);
}

// The first runtime that wants it has the profiler until it is closed; a second one interrupts
// interpreted code, and compiled code after that.
static void one_profiler(void) {
  CHECK(profiler_is_free());
  weft *first = open_with(0, 0), *second = open_with(0, 0);
  CHECK(interrupts(first));
  CHECK(!profiler_is_free());
  CHECK(run(second, "jit.off()") == WEFT_OK);
  CHECK(interrupts(second));
  CHECK(run(second, "jit.on()") == WEFT_OK);
  weft_close(first);
  CHECK(profiler_is_free());
  CHECK(interrupts(second));
  CHECK(!profiler_is_free());
  CHECK(lua_gethook(weft_lua(second)) == NULL);  // no task may be interrupted any more
  weft_close(second);
  CHECK(profiler_is_free() && threads() == 1);
}

// How often the thread beside this one has gone to sleep; -1: nobody tells.
static long naps(void) {
  static const char field[] = "voluntary_ctxt_switches:";
  char path[64], line[128];
  long count = -1;
  DIR *dir = opendir("/proc/self/task");
  if (dir == NULL) return -1;
  for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
    if (e->d_name[0] == '.' || strtol(e->d_name, NULL, 10) == getpid()) continue;
    (void)snprintf(path, sizeof path, "/proc/self/task/%.16s/status", e->d_name);
    FILE *f = fopen(path, "r");
    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
      if (strncmp(line, field, sizeof field - 1) == 0) {
        count = strtol(line + sizeof field - 1, NULL, 10);
      }
    }
    if (f != NULL) (void)fclose(f);
  }
  (void)closedir(dir);
  return count;
}

// The monitor has stopped looking when there was nothing to see between two runs; the next wakes
// it.
static void after_a_pause(void) {
  weft *w = open_with(0, 1);
  CHECK(run(w, "require'weft'.yield()") == WEFT_OK);
  CHECK(threads() == 2);
  // While it looks, it does so every 5 ms.
  static const struct timespec many_looks = {.tv_nsec = 200000000};
  long before = -2, now = naps();
  for (int i = 0; i < 50 && now != before; i++) {
    before = now;
    (void)nanosleep(&many_looks, NULL);
    now = naps();
  }
  CHECK(interrupts(w));
  weft_close(w);
}

static void on_profile_signal(int number) { (void)number; }

// A host's own SIGPROF and hooks stay.
static void a_hosts_own(void) {
  (void)signal(SIGPROF, on_profile_signal);
  weft *w = open_with(0, 0);
  CHECK(run(w, "jit.off()") == WEFT_OK);
  CHECK(interrupts(w));
  weft_close(w);
  struct sigaction now;
  (void)sigaction(SIGPROF, NULL, &now);
  CHECK(now.sa_handler == on_profile_signal);
  (void)signal(SIGPROF, SIG_DFL);
}

// Signals from elsewhere do nothing, also between runs.
static void stray_signals(void) {
  weft *w = open_with(0, 1);
  CHECK(interrupts(w));
  for (int i = 0; i < 100; i++) CHECK(kill(getpid(), SIGPROF) == 0);
  CHECK(interrupts(w));
  weft_close(w);
  CHECK(profiler_is_free());
}

// config.preempt: every task, in runs and in steps.
static void every_task(void) {
  weft *w = open_with(0, 1);
  CHECK(run(w,
            "local weft = require 'weft'\n"
            "weft.go(function() while true do end end)\n"
            "for _ = 1, 3 do weft.sleep(0.001) end") == WEFT_OK);
  CHECK(weft_load_string(w, "while true do end", "=test") == WEFT_OK && weft_start(w) == WEFT_OK);
  struct timespec start, end;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
  weft_step_info info;
  CHECK(weft_step(w, 0.03, -1, &info) == WEFT_OK);
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  CHECK(info.tasks == 2 && info.ready == 2);
  CHECK((double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9 < 0.2);
  weft_close(w);
  CHECK(profiler_is_free() && threads() == 1);
}

// Module mode: all of it goes with the Lua state, whoever closes that.
static void module(void) {
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_pushcfunction(L, luaopen_weft);
  lua_setfield(L, -2, "weft");
  lua_pop(L, 2);
  CHECK(luaL_dostring(L,
                      "local weft = require 'weft'\n"
                      "weft.run(function()\n"
                      "  weft.go(function() weft.preempt(true) while true do end end)\n"
                      "  for _ = 1, 3 do weft.sleep(0.001) end\n"
                      "end)\n"
                      "assert(weft.ntasks() == 1)") == 0);
  CHECK(!profiler_is_free() && threads() == 2 && lua_gethook(L) != NULL);
  // Other code of the host goes on undisturbed.
  CHECK(luaL_dostring(L, "local n = 0 for i = 1, 1e7 do n = n + i % 3 end assert(n == 1e7)") == 0);
  lua_close(L);
  CHECK(profiler_is_free() && threads() == 1);
}

int main(void) {
  main_thread = pthread_self();
  reports();
  pending_io();
  one_profiler();
  after_a_pause();
  a_hosts_own();
  stray_signals();
  every_task();
  module();
  return check_done();
}
