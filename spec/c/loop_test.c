// SPDX-License-Identifier: MIT
// The loop: waits and what ends them (time, wakes, libuv's handles, signals, what has happened
// already), what keeps it going, and its end with handles open.
#include "loop/loop.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "../embed/check.h"
#include "../embed/descriptors.h"
#include "base/atomic.h"
#include "loop/clock.h"

static const uint64_t MS = 1000000;

// How long the wait took, in ns.
static uint64_t wait_for(wf_loop *loop, uint64_t timeout_ns) {
  uint64_t before = uv_hrtime();
  wf_loop_wait(loop, timeout_ns);
  return uv_hrtime() - before;
}

static uint32_t cores, asked;

static uint32_t count_cores(void) {
  asked++;
  return cores;
}

static void open_loop(wf_loop *loop, bool wakes) {
  *loop = (wf_loop){.jobs = 0};
  CHECK(wf_loop_init(loop, count_cores) == 0);
  if (wakes) CHECK(wf_loop_enable_wakes(loop) == 0);
}

// Time ----------------------------------------------------------------------------------------

static void waits_as_long_as_told(void) {
  wf_loop loop;
  for (int wakes = 0; wakes < 2; wakes++) {
    open_loop(&loop, wakes == 1);
    CHECK(!wf_loop_pending(&loop));
    CHECK(wait_for(&loop, 2 * MS) >= 2 * MS);
    CHECK(wait_for(&loop, MS / 4) >= MS / 4);
    (void)wait_for(&loop, 0);
    wf_loop_close(&loop);
  }
  // Without wakes and handles nothing could end it.
  open_loop(&loop, false);
  (void)wait_for(&loop, WF_NEVER);
  wf_loop_close(&loop);
}

// Wakes ---------------------------------------------------------------------------------------

static wf_atomic_u64 woke;

static void *wake_later(void *arg) {
  (void)usleep(2000);
  wf_u64_store(&woke, 1, WF_RELAXED);
  wf_loop_wake(arg);
  return NULL;
}

static void wakes_end_waits(void) {
  wf_loop loop;
  open_loop(&loop, true);
  CHECK(wf_loop_enable_wakes(&loop) == 0);
  CHECK(!wf_loop_pending(&loop));
  for (int i = 0; i < 3; i++) wf_loop_wake(&loop);
  (void)wait_for(&loop, WF_NEVER);
  CHECK(wait_for(&loop, 2 * MS) >= 2 * MS);  // that was for all three
  wf_loop_wake(&loop);
  wf_loop_take_wakes(&loop);
  CHECK(wait_for(&loop, 2 * MS) >= 2 * MS);
  pthread_t thread;
  CHECK(pthread_create(&thread, NULL, wake_later, &loop) == 0);
  (void)wait_for(&loop, WF_NEVER);
  CHECK(wf_u64_load(&woke, WF_RELAXED) == 1);
  CHECK(pthread_join(thread, NULL) == 0);
  wf_loop_close(&loop);
}

static void a_full_counter_wakes(void) {
  wf_loop loop;
  uint64_t most = UINT64_MAX - 1;
  open_loop(&loop, true);
#ifdef __linux__
  CHECK(write(loop.wake_fds[1], &most, sizeof most) == (ssize_t)sizeof most);
#else
  (void)most;
#endif
  errno = 0;
  wf_loop_wake(&loop);
  CHECK(errno == 0);
  (void)wait_for(&loop, WF_NEVER);
  wf_loop_close(&loop);
  open_loop(&loop, false);
  wf_loop_wake(&loop);  // there is none to be ended
  wf_loop_take_wakes(&loop);
  wf_loop_close(&loop);
}

static void do_nothing(int number) { (void)number; }

static wf_atomic_u64 waited;

// Again and again: one that comes before the wait does not end it.
static void *signal_later(void *arg) {
  const pthread_t *to = arg;
  while (wf_u64_load(&waited, WF_RELAXED) == 0) {
    (void)usleep(2000);
    (void)pthread_kill(*to, SIGUSR1);
  }
  return NULL;
}

static void signals_end_waits(void) {
  wf_loop loop;
  struct sigaction action = {.sa_handler = do_nothing};
  open_loop(&loop, true);
  CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
  pthread_t self = pthread_self(), thread;
  CHECK(pthread_create(&thread, NULL, signal_later, &self) == 0);
  (void)wait_for(&loop, WF_NEVER);
  wf_u64_store(&waited, 1, WF_RELAXED);
  CHECK(pthread_join(thread, NULL) == 0);
  wf_loop_close(&loop);
}

// Handles -------------------------------------------------------------------------------------

static wf_loop *current;
static int fired, inside;
static bool tells;  // what is called says that something has happened

static void note(void) {
  fired++;
  if (wf_loop_here) inside++;
  if (tells) current->happened = true;
}

static void on_timer(uv_timer_t *timer) {
  (void)timer;
  note();
}
static void on_async(uv_async_t *async) {
  (void)async;
  note();
}
static void on_readable(uv_poll_t *poll, int status, int events) {
  char bytes[8];
  uv_os_fd_t fd = -1;
  (void)events;
  CHECK(status == 0 && uv_fileno((uv_handle_t *)poll, &fd) == 0);
  CHECK(read(fd, bytes, sizeof bytes) > 0);
  note();
}

static void start(wf_loop *loop) {
  open_loop(loop, true);
  current = loop;
  fired = inside = 0;
  tells = false;
}

static void timers_of_libuv_end_waits(void) {
  wf_loop loop;
  uv_timer_t timer;
  start(&loop);
  tells = true;  // else a wait that begins with a turn in which it is due would go on after that
  CHECK(uv_timer_init(&loop.uv, &timer) == 0);
  CHECK(uv_timer_start(&timer, on_timer, 3, 0) == 0);
  CHECK(wf_loop_pending(&loop));
  for (int i = 0; i < 100 && fired == 0; i++) (void)wait_for(&loop, WF_NEVER);
  CHECK(fired == 1 && inside == 1 && !wf_loop_here);
  CHECK(!wf_loop_pending(&loop));
  // One that is later than the time that is over first.
  CHECK(uv_timer_start(&timer, on_timer, 60000, 0) == 0);
  CHECK(wait_for(&loop, 2 * MS) < (uint64_t)30000 * MS);
  CHECK(fired == 1);
  wf_loop_close(&loop);
}

static void *send_later(void *arg) {
  (void)usleep(2000);
  (void)uv_async_send(arg);
  return NULL;
}

static void what_has_come_is_run(void) {
  wf_loop loop;
  uv_async_t async;
  pthread_t thread;
  start(&loop);
  CHECK(uv_async_init(&loop.uv, &async, on_async) == 0);
  CHECK(uv_async_send(&async) == 0);
  wf_loop_turn(&loop);
  CHECK(fired == 1);
  CHECK(uv_async_send(&async) == 0);
  (void)wait_for(&loop, WF_NEVER);
  CHECK(fired == 2);
  CHECK(pthread_create(&thread, NULL, send_later, &async) == 0);
  (void)wait_for(&loop, WF_NEVER);
  CHECK(fired == 3 && inside == 3);
  CHECK(pthread_join(thread, NULL) == 0);
  wf_loop_close(&loop);
}

// A watcher that was started since the last turn, of something that is there already.
static void new_watchers_are_heard_of(void) {
  wf_loop loop;
  uv_poll_t poll;
  int fds[2];
  start(&loop);
  tells = true;  // as above
  CHECK(pipe(fds) == 0 && write(fds[1], "x", 1) == 1);
  CHECK(uv_poll_init(&loop.uv, &poll, fds[0]) == 0);
  CHECK(uv_poll_start(&poll, UV_READABLE, on_readable) == 0);
  (void)wait_for(&loop, WF_NEVER);
  CHECK(fired == 1);
  CHECK(write(fds[1], "x", 1) == 1);
  (void)wait_for(&loop, WF_NEVER);
  CHECK(fired == 2);
  wf_loop_close(&loop);
  (void)close(fds[0]);
  (void)close(fds[1]);
}

// In the turn before the wait a timer that is due gives somebody something to do.
static void does_not_wait_when_something_has_happened(void) {
  wf_loop loop;
  uv_timer_t timer;
  start(&loop);
  tells = true;
  CHECK(uv_timer_init(&loop.uv, &timer) == 0);
  CHECK(uv_timer_start(&timer, on_timer, 0, 0) == 0);
  CHECK(wait_for(&loop, (uint64_t)30000 * MS) < (uint64_t)20000 * MS);
  CHECK(fired == 1 && loop.happened);
  tells = false;
  CHECK(wait_for(&loop, 2 * MS) >= 2 * MS);
  CHECK(!loop.happened);
  wf_loop_close(&loop);
}

// The end -------------------------------------------------------------------------------------

static int closed;
static void on_close(uv_handle_t *handle) {
  (void)handle;
  closed++;
}

static void closes_what_is_open(void) {
  wf_loop loop;
  uv_async_t async;
  uv_timer_t timer, *leaving = malloc(sizeof *leaving);
  uv_idle_t idle;
  int before = count_descriptors();
  start(&loop);
  CHECK(leaving != NULL);
  CHECK(uv_async_init(&loop.uv, &async, on_async) == 0);
  CHECK(uv_timer_init(&loop.uv, &timer) == 0 && uv_timer_init(&loop.uv, leaving) == 0);
  CHECK(uv_timer_start(&timer, on_timer, 60000, 0) == 0);
  CHECK(uv_idle_init(&loop.uv, &idle) == 0);
  uv_unref((uv_handle_t *)&idle);
  uv_close((uv_handle_t *)leaving, on_close);
  wf_loop_close(&loop);
  CHECK(closed == 1 && fired == 0);
  CHECK(uv_is_closing((uv_handle_t *)&timer) && uv_is_closing((uv_handle_t *)&async));
  CHECK(loop.wake_fds[0] == -1 && loop.wake_fds[1] == -1);
  CHECK(count_descriptors() == before);
  free(leaving);
}

// Looking again and again ---------------------------------------------------------------------

static uint32_t turns;

static void count_turn(uv_prepare_t *handle) {
  (void)handle;
  turns++;
}

static void looks_again_where_the_last_wait_was_short(void) {
  wf_loop loop;
  for (cores = 1; cores <= 2; cores++) {
    open_loop(&loop, true);
    uv_prepare_t prepare;
    CHECK(uv_prepare_init(&loop.uv, &prepare) == 0);
    CHECK(uv_prepare_start(&prepare, count_turn) == 0);
    wf_loop_turn(&loop);  // the kernel hears of the loop's own descriptors
    turns = asked = 0;
    CHECK(!loop.lively && wait_for(&loop, 2 * MS) >= 2 * MS);
    CHECK(turns == 1 && asked == 0 && !loop.lively);
    for (int i = 0; i < 2; i++) {
      turns = 0;
      loop.lively = true;
      CHECK(wait_for(&loop, 2 * MS) >= 2 * MS);
      CHECK(cores > 1 ? turns > 1 : turns == 1);
      CHECK(!loop.lively);
    }
    CHECK(asked == 1);
    // A wake that has come ends it, and the wait.
    turns = 0;
    loop.lively = true;
    wf_loop_wake(&loop);
    (void)wait_for(&loop, WF_NEVER);
    CHECK(turns == 1);
    // Nor is there time for it where a deadline is near.
    turns = 0;
    loop.lively = true;
    (void)wait_for(&loop, 1000);
    CHECK(turns == 1);
    wf_loop_close(&loop);
  }
}

int main(void) {
  (void)alarm(60);  // a wait that nothing ends
  waits_as_long_as_told();
  wakes_end_waits();
  a_full_counter_wakes();
  signals_end_waits();
  timers_of_libuv_end_waits();
  what_has_come_is_run();
  new_watchers_are_heard_of();
  does_not_wait_when_something_has_happened();
  looks_again_where_the_last_wait_was_short();
  closes_what_is_open();
  return check_done();
}
