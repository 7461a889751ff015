// SPDX-License-Identifier: MIT
// A host asks what its program is doing: weft_interrupt from other threads, weft_dump,
// weft_running, and --leaks' list for embedders.
#include <fcntl.h>
#include <lauxlib.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weft.h>

#include "check.h"

typedef struct host {
  weft *w;
  int interrupts, fd;
  weft_status dumped;
  char logged[4096];
} host;

static void on_interrupt(void *ud) {
  host *h = ud;
  h->interrupts++;
  h->dumped = weft_dump(h->w, h->fd);
}

static void on_log(void *ud, const char *line) {
  host *h = ud;
  (void)snprintf(h->logged, sizeof h->logged, "%s", line);
}

static void on_panic(void *ud, const char *report) { on_log(ud, report); }

static void open_host(host *h, weft_clock clock) {
  *h = (host){.fd = -1};
  weft_config config = {.on_panic = on_panic,
                        .on_log = on_log,
                        .on_interrupt = on_interrupt,
                        .ud = h,
                        .clock = clock,
                        .warn_leaks = 1};
  CHECK(weft_open(&config, &h->w) == WEFT_OK);
}

static weft_status run(weft *w, const char *code) {
  weft_status status = weft_load_string(w, code, "=test");
  return status == WEFT_OK ? weft_run(w) : status;
}

// What has been written to the pipe's other end, which is closed.
static const char *text_of(int fds[2]) {
  static char text[4096];
  (void)close(fds[1]);
  ssize_t n, size = 0;
  while ((n = read(fds[0], text + size, sizeof text - 1 - (size_t)size)) > 0) size += n;
  text[size] = '\0';
  (void)close(fds[0]);
  return text;
}

static void *interrupt_later(void *arg) {
  weft_interrupt(arg);
  return NULL;
}

// From another thread, at whatever moment: before the run, in it, or while all tasks wait.
static void from_a_thread(void) {
  for (int i = 0; i < 200; i++) {
    host h;
    int fds[2];
    pthread_t thread;
    open_host(&h, WEFT_CLOCK_REAL);
    CHECK(pipe(fds) == 0);
    h.fd = fds[1];
    CHECK(pthread_create(&thread, NULL, interrupt_later, h.w) == 0);
    const char *code = i % 2 == 0 ? "require'weft'.sleep(0.02)" : "require'weft'.yield()";
    CHECK(run(h.w, code) == WEFT_OK);
    CHECK(pthread_join(thread, NULL) == 0);
    // One that came too late for this run is for the next.
    CHECK(run(h.w, "require'weft'.yield()") == WEFT_OK);
    CHECK(h.interrupts == 1 && h.dumped == WEFT_OK);
    CHECK(strstr(text_of(fds), "weft: 1 live tasks\n\ntask ") != NULL);
    weft_close(h.w);
  }
}

// Whether the main thread sleeps, as Linux tells it.
static bool main_sleeps(void) {
  char line[200] = "";
  FILE *f = fopen("/proc/self/stat", "r");
  if (f == NULL) return true;
  (void)fgets(line, sizeof line, f);
  (void)fclose(f);
  const char *name_end = strrchr(line, ')');
  return name_end != NULL && name_end[2] == 'S';
}

static void *interrupt_sleeper(void *arg) {
  while (!main_sleeps()) (void)sched_yield();
  weft_interrupt(arg);
  return NULL;
}

// An interrupt does not wait for the end of a sleep: the dump shows the task as it sleeps. Again
// where the thread may have come too late.
static void while_all_sleep(void) {
  bool seen = false;
  for (int i = 0; i < 50 && !seen; i++) {
    host h;
    int fds[2];
    pthread_t thread;
    open_host(&h, WEFT_CLOCK_REAL);
    CHECK(pipe(fds) == 0);
    h.fd = fds[1];
    CHECK(pthread_create(&thread, NULL, interrupt_sleeper, h.w) == 0);
    CHECK(run(h.w, "require'weft'.sleep(0.1)") == WEFT_OK);
    CHECK(pthread_join(thread, NULL) == 0);
    seen = strstr(text_of(fds), "task 1 [sleep") != NULL;
    weft_close(h.w);
  }
  CHECK(seen);
}

// Interrupts between steps come in the next one, as one; what cannot be written is a status.
static void between_steps(void) {
  host h;
  open_host(&h, WEFT_CLOCK_VIRTUAL);
  CHECK(run(h.w,
            "local weft = require 'weft'\n"
            "t = weft.time.monotonic()\n"
            "weft.go(function() weft.sleep(1) weft.chan():recv() end)\n"
            "weft.sleep(60)\n"
            "t = weft.time.monotonic() - t") == WEFT_OK);
  lua_State *L = weft_lua(h.w);
  lua_getglobal(L, "t");
  CHECK(lua_tonumber(L, -1) >= 60 && lua_tonumber(L, -1) < 60.001);
  lua_pop(L, 1);
  CHECK(strstr(h.logged, "1 task can never wake again") != NULL);
  weft_interrupt(h.w);
  weft_interrupt(h.w);
  CHECK(h.interrupts == 0);
  CHECK(weft_step(h.w, 0, -1, NULL) == WEFT_OK);
  CHECK(h.interrupts == 1);
  CHECK(h.dumped == WEFT_ERR_SYSTEM);  // to descriptor -1
  CHECK(strcmp(weft_error(h.w), "bad file descriptor") == 0);
  CHECK(weft_step(h.w, 0, -1, NULL) == WEFT_OK);
  CHECK(h.interrupts == 1);
  weft_close(h.w);
}

static host *probed;
static weft_running_info info;
static weft_status inside;

static int probe(lua_State *L) {
  (void)L;
  weft_running(probed->w, &info);
  inside = weft_dump(probed->w, 1);
  return 0;
}

static void running(void) {
  host h;
  open_host(&h, WEFT_CLOCK_REAL);
  probed = &h;
  lua_register(weft_lua(h.w), "probe", probe);
  weft_running(h.w, &info);
  CHECK(info.task == 0 && strcmp(info.created_at, "?") == 0);
  CHECK(run(h.w, "probe()") == WEFT_OK);
  CHECK(info.task == 1 && info.creator == 0 && info.seconds >= 0 && info.seconds < 60);
  CHECK(inside == WEFT_ERR_MISUSE);
  CHECK(run(h.w,
            "local weft = require 'weft' local done = weft.chan()\n"
            "weft.go(function(done)\n"
            "  local t = weft.time.monotonic()\n"
            "  while weft.time.monotonic() - t < 0.05 do end\n"
            "  probe()\n"
            "  done:close()\n"
            "end, done)\n"
            "done:recv()") == WEFT_OK);
  CHECK(info.task == 3 && info.creator == 2 && info.seconds >= 0.05 && info.seconds < 60);
  CHECK(strcmp(info.created_at, "test:2") == 0);
  char name[200];
  (void)memset(name, 'x', sizeof name - 1);
  name[sizeof name - 1] = '\0';
  static const char code[] = "require'weft'.async(probe):await()";
  CHECK(weft_load_buffer(h.w, code, sizeof code - 1, name) == WEFT_OK && weft_run(h.w) == WEFT_OK);
  CHECK(strlen(info.created_at) < sizeof info.created_at);
  weft_close(h.w);
}

static void without_a_callback(void) {
  weft *w = NULL;
  CHECK(weft_open(NULL, &w) == WEFT_OK);
  weft_interrupt(w);
  CHECK(run(w, "require'weft'.sleep(0.01)") == WEFT_OK);
  int fds[2];
  CHECK(pipe(fds) == 0);
  CHECK(run(w, "require'weft'.go(require'weft'.sleep, 9)") == WEFT_OK);
  CHECK(weft_dump(w, fds[1]) == WEFT_OK);
  CHECK(strstr(text_of(fds), "weft: 1 live tasks\n\ntask ") != NULL);
  weft_close(w);
}

// A dump waits for a descriptor that takes no more for now: nobody reads before it does.
static void *drain(void *arg) {
  const int *fds = arg;
  while (!main_sleeps()) (void)sched_yield();
  char some[100];
  long *total = malloc(sizeof *total);
  *total = 0;
  ssize_t n;
  while ((n = read(fds[0], some, sizeof some)) > 0) *total += n;
  return total;
}

static void to_a_full_pipe(void) {
  host h;
  int fds[2];
  pthread_t thread;
  open_host(&h, WEFT_CLOCK_REAL);
  CHECK(pipe(fds) == 0);
  CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0);
  CHECK(run(h.w,
            "local weft = require 'weft'\n"
            "local n = 0\n"
            "for i = 1, 1000 do\n"
            "  weft.go(function() n = n + 1 weft.name(weft.chan(), 'x' .. i):recv() end)\n"
            "end\n"
            "while n < 1000 do weft.yield() end") == WEFT_OK);
  CHECK(pthread_create(&thread, NULL, drain, fds) == 0);
  CHECK(weft_dump(h.w, fds[1]) == WEFT_OK);
  (void)close(fds[1]);
  void *total = NULL;
  CHECK(pthread_join(thread, &total) == 0);
  CHECK(*(long *)total > 70000);
  free(total);
  (void)close(fds[0]);
  weft_close(h.w);
}

int main(void) {
  from_a_thread();
  while_all_sleep();
  between_steps();
  running();
  without_a_callback();
  to_a_full_pipe();
  return check_done();
}
