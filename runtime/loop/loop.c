// SPDX-License-Identifier: MIT
#include "loop/loop.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include "base/check.h"
#include "loop/clock.h"

_Thread_local volatile bool wf_loop_here __attribute__((tls_model("initial-exec")));

// What is there to be run, now.
static int turn(wf_loop *loop) {
  wf_loop_here = true;
  int more = uv_run(&loop->uv, UV_RUN_NOWAIT);
  wf_loop_here = false;
  return more;
}

int wf_loop_init(wf_loop *loop, uint32_t (*count_cores)(void)) {
  loop->wake_fds[0] = loop->wake_fds[1] = -1;
  loop->jobs = 0;
  loop->has_jobs_done = loop->lively = false;
  loop->count_cores = count_cores;
  loop->cores = 0;
  wf_u64_init(&loop->woken, 0);
  return uv_loop_init(&loop->uv);
}

int wf_loop_enable_wakes(wf_loop *loop) {
  if (loop->wake_fds[0] >= 0) return 0;
#ifdef __linux__
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return uv_translate_sys_error(errno);
  loop->wake_fds[0] = loop->wake_fds[1] = fd;
  return 0;
#else
  return uv_pipe(loop->wake_fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
#endif
}

// A full pipe or counter wakes just as well.
void wf_loop_wake(wf_loop *loop) {
  static const uint64_t one = 1;
  if (loop->wake_fds[1] < 0) return;
  int before = errno;
  wf_u64_store(&loop->woken, 1, WF_RELEASE);  // pairs with spin
  ssize_t n = write(loop->wake_fds[1], &one, sizeof one);
  (void)n;
  errno = before;
}

void wf_loop_take_wakes(wf_loop *loop) {
  uint64_t wakes[8];
  if (loop->wake_fds[0] < 0) return;
  wf_u64_store(&loop->woken, 0, WF_RELAXED);  // before the read: a later wake's mark may stay
  while (read(loop->wake_fds[0], wakes, sizeof wakes) == (ssize_t)sizeof wakes) {
  }
}

static void close_handle(uv_handle_t *handle, void *arg) {
  (void)arg;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void wf_loop_close(wf_loop *loop) {
  if (loop->wake_fds[0] >= 0) (void)close(loop->wake_fds[0]);
  if (loop->wake_fds[1] != loop->wake_fds[0]) (void)close(loop->wake_fds[1]);
  loop->wake_fds[0] = loop->wake_fds[1] = -1;
  uv_walk(&loop->uv, close_handle, NULL);
  while (turn(loop) != 0) {
  }
  int rc = uv_loop_close(&loop->uv);
  WF_ASSERT(rc == 0);
  (void)rc;
}

void wf_loop_turn(wf_loop *loop) { (void)turn(loop); }

static void poll_fds(struct pollfd *fds, nfds_t n, uint64_t timeout_ns) {
#ifdef __linux__
  struct timespec ts = {.tv_sec = (time_t)(timeout_ns / WF_NS_PER_S),
                        .tv_nsec = (long)(timeout_ns % WF_NS_PER_S)};
  (void)ppoll(fds, n, timeout_ns == WF_NEVER ? NULL : &ts, NULL);
#else
  uint64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
  (void)poll(fds, n, timeout_ns == WF_NEVER ? -1 : (int)(ms < 1000000 ? ms : 1000000));
#endif
}

// Watchers that the kernel does not know of yet: it hears of them in the next turn. (The queue is
// a ring in every libuv, with the pointer to its first link in front.)
static bool has_new_watchers(const wf_loop *loop) {
  const void *first;
  memcpy(&first, &loop->uv.watcher_queue, sizeof first);
  return first != &loop->uv.watcher_queue;
}

// Whether there may be something to run already.
static bool needs_turn(const wf_loop *loop) {
  return has_new_watchers(loop) || !wf_loop_pending(loop) || uv_backend_timeout(&loop->uv) == 0;
}

enum { SPIN_NS = 50000 };

// Whether it is worth while to look again and again before going to sleep.
static bool may_spin(wf_loop *loop, uint64_t timeout_ns) {
  if (!loop->lively || timeout_ns <= SPIN_NS) return false;
  if (loop->cores == 0) loop->cores = loop->count_cores();
  return loop->cores > 1;
}

// True: something has happened. A wake ends it; the sleep that follows is none then.
static bool spin(wf_loop *loop, uint64_t start) {
  do {
    if (wf_u64_load(&loop->woken, WF_ACQUIRE) != 0) return false;
    (void)turn(loop);
    if (loop->happened) return true;
  } while (wf_clock_machine_ns() - start < SPIN_NS);
  return false;
}

void wf_loop_wait(wf_loop *loop, uint64_t timeout_ns) {
  bool wakes = loop->wake_fds[0] >= 0;
  loop->happened = false;
  if (needs_turn(loop)) {
    if (turn(loop) == 0 && timeout_ns == WF_NEVER && !wakes) return;
    if (loop->happened) return;
  }
  // Of a loop without handles it says 0: there is nothing to wait for, but a timer of ours may be.
  bool pending = wf_loop_pending(loop);
  int uv_ms = pending ? uv_backend_timeout(&loop->uv) : -1;
  if (uv_ms >= 0 && (uint64_t)uv_ms * 1000000 < timeout_ns) timeout_ns = (uint64_t)uv_ms * 1000000;
  if (pending && has_new_watchers(loop)) timeout_ns = 0;
  if (timeout_ns > 0) {
    uint64_t start = wf_clock_machine_ns();
    if (pending && may_spin(loop, timeout_ns) && spin(loop, start)) return;
    struct pollfd fds[2] = {{.fd = uv_backend_fd(&loop->uv), .events = POLLIN},
                            {.fd = loop->wake_fds[0], .events = POLLIN}};
    poll_fds(fds, wakes ? 2 : 1, timeout_ns);
    if (fds[1].revents != 0) wf_loop_take_wakes(loop);
    loop->lively = wf_clock_machine_ns() - start < SPIN_NS;
  }
  uv_update_time(&loop->uv);
  (void)turn(loop);
}
