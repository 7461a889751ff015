// SPDX-License-Identifier: MIT
// How long it takes from a send on one core to the receiver's next instruction on another one that
// was asleep; beside it, taking turns, the same of two plain threads that wake each other by what
// libuv uses as well, eventfd and epoll: the least that the machine allows. Prints both; with
// WEFT_LONG they are compared, which only says something where two cores are idle.
// Subject: runtime/sched/turn.c runtime/loop/loop.c
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <weft.h>

#include <lauxlib.h>

#include "stress.h"

enum { PINGS = 400, MOST_ROUNDS = 8 };

// The pause before each ping, in which both sides go to sleep.
static const struct timespec pause_time = {.tv_nsec = 300000};

typedef struct latency {
  double half_us, most_us;  // that many percent of the pings took no longer: 50, 99
} latency;

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static latency evaluate(double *seconds) {
  qsort(seconds, PINGS, sizeof *seconds, compare);
  return (latency){.half_us = seconds[PINGS / 2] * 1e6,
                   .most_us = seconds[PINGS * 99 / 100] * 1e6};
}

// Plain threads ----------------------------------------------------------------------------------

static int there = -1, back = -1;
static double sent_at, took[PINGS];

static int watched(int fd) {
  struct epoll_event event = {.events = EPOLLIN};
  int poll = epoll_create1(EPOLL_CLOEXEC);
  if (poll < 0 || epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event) != 0) abort();
  return poll;
}

static void wait_for(int poll, int fd) {
  struct epoll_event event;
  uint64_t n;
  while (epoll_wait(poll, &event, 1, -1) < 0 && errno == EINTR) {
  }
  if (read(fd, &n, sizeof n) != sizeof n) abort();
}

static void ring(int fd) {
  uint64_t one = 1;
  if (write(fd, &one, sizeof one) != sizeof one) abort();
}

static void *echo(void *arg) {
  (void)arg;
  int poll = watched(there);
  for (int i = 0; i < PINGS; i++) {
    wait_for(poll, there);
    took[i] = stress_seconds() - sent_at;
    ring(back);
  }
  (void)close(poll);
  return NULL;
}

static latency plain_threads(void) {
  pthread_t thread;
  there = eventfd(0, EFD_CLOEXEC);
  back = eventfd(0, EFD_CLOEXEC);
  CHECK(there >= 0 && back >= 0 && pthread_create(&thread, NULL, echo, NULL) == 0);
  int poll = watched(back);
  for (int i = 0; i < PINGS; i++) {
    (void)nanosleep(&pause_time, NULL);
    sent_at = stress_seconds();
    ring(there);
    wait_for(poll, back);
  }
  CHECK(pthread_join(thread, NULL) == 0);
  (void)close(poll);
  (void)close(there);
  (void)close(back);
  return evaluate(took);
}

// weft -------------------------------------------------------------------------------------------

// ... is the number of pings and the pause. While main has a timer, its worker takes no isolated
// task.
static const char script[] =
    "local weft = require 'weft'\n"
    "local n, pause = pings, pause\n"
    "local there, back = weft.chan(), weft.chan()\n"
    "weft.go(weft.sleep, 1000)\n"
    "weft.yield()\n"
    "weft.spawn(function()\n"
    "  local monotonic = require 'weft'.time.monotonic\n"
    "  for at in there do back:send(monotonic() - at) end\n"
    "end)\n"
    "took = {}\n"
    "for i = 1, n do\n"
    "  weft.sleep(pause)\n"
    "  there:send(weft.time.monotonic())\n"
    "  took[i] = back:recv()\n"
    "end\n"
    "there:close()\n";

static latency weft_cores(void) {
  weft_config config = {.workers = 2};
  weft *w = NULL;
  CHECK(weft_open(&config, &w) == WEFT_OK);
  lua_State *L = weft_lua(w);
  lua_pushinteger(L, PINGS);
  lua_setglobal(L, "pings");
  lua_pushnumber(L, (double)pause_time.tv_nsec / 1e9);
  lua_setglobal(L, "pause");
  bool ran = weft_load_string(w, script, "=script") == WEFT_OK && weft_run(w) == WEFT_OK;
  CHECK(ran);
  if (!ran) (void)fprintf(stderr, "%s\n", weft_error(w));
  static double seconds[PINGS];
  lua_getglobal(L, "took");
  for (int i = 0; i < PINGS && lua_istable(L, -1); i++) {
    lua_rawgeti(L, -1, i + 1);
    seconds[i] = lua_tonumber(L, -1);
    CHECK(seconds[i] > 0);
    lua_pop(L, 1);
  }
  lua_settop(L, 0);
  weft_close(w);
  return evaluate(seconds);
}

// The best of some rounds each: what the machine does besides makes none faster.
int main(void) {
  latency plain = {1e9, 1e9}, ours = {1e9, 1e9};
  int rounds = getenv("WEFT_LONG") != NULL ? MOST_ROUNDS : 1;
  for (int i = 0; i < rounds; i++) {
    latency p = plain_threads(), o = weft_cores();
    if (p.half_us < plain.half_us) plain.half_us = p.half_us;
    if (p.most_us < plain.most_us) plain.most_us = p.most_us;
    if (o.half_us < ours.half_us) ours.half_us = o.half_us;
    if (o.most_us < ours.most_us) ours.most_us = o.most_us;
  }
  (void)printf(
      "from core to core, us: half within %.1f, 99 %% within %.1f; "
      "plain threads: %.1f, %.1f\n",
      ours.half_us, ours.most_us, plain.half_us, plain.most_us);
#if !defined(WEFT_DEBUG) && !defined(WEFT_TORTURE)
  if (rounds > 1) {
    CHECK(ours.half_us < 2 * plain.half_us + 10);
    CHECK(ours.most_us < 2 * plain.most_us + 100);
  }
#endif
  return check_done();
}
