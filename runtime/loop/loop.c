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

static int run(wf_loop *loop, uv_run_mode mode) {
  wf_loop_here = true;
  int more = uv_run(&loop->uv, mode);
  wf_loop_here = false;
  return more;
}

// What is there to be run, now.
static int turn(wf_loop *loop) { return run(loop, UV_RUN_NOWAIT); }

// libuv has run what it had and is about to wait: not when that has given somebody something to
// do.
static void before_wait(uv_prepare_t *prepare) {
  wf_loop *loop = wf_container_of(prepare, wf_loop, before_wait);
  if (loop->happened || loop->woken) uv_stop(&loop->uv);
}

int wf_loop_init(wf_loop *loop) {
  loop->wake_fds[0] = loop->wake_fds[1] = -1;
  loop->jobs = 0;
  loop->has_jobs_done = loop->happened = loop->woken = false;
  int rc = uv_loop_init(&loop->uv);
  if (rc != 0) return rc;
  (void)uv_prepare_init(&loop->uv, &loop->before_wait);
  (void)uv_prepare_start(&loop->before_wait, before_wait);
  uv_unref((uv_handle_t *)&loop->before_wait);
  (void)uv_timer_init(&loop->uv, &loop->limit);
  uv_unref((uv_handle_t *)&loop->limit);
  return 0;
}

static void read_wakes(const wf_loop *loop) {
  uint64_t wakes[8];
  while (read(loop->wake_fds[0], wakes, sizeof wakes) == (ssize_t)sizeof wakes) {
  }
}

static void on_wake(uv_poll_t *poll, int status, int events) {
  (void)status;
  (void)events;
  wf_loop *loop = wf_container_of(poll, wf_loop, wakes);
  read_wakes(loop);
  loop->woken = true;
}

static int open_wake_fds(wf_loop *loop) {
#ifdef __linux__
  int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (fd < 0) return uv_translate_sys_error(errno);
  loop->wake_fds[0] = loop->wake_fds[1] = fd;
  return 0;
#else
  return uv_pipe(loop->wake_fds, UV_NONBLOCK_PIPE, UV_NONBLOCK_PIPE);
#endif
}

static void close_wake_fds(wf_loop *loop) {
  if (loop->wake_fds[0] >= 0) (void)close(loop->wake_fds[0]);
  if (loop->wake_fds[1] != loop->wake_fds[0]) (void)close(loop->wake_fds[1]);
  loop->wake_fds[0] = loop->wake_fds[1] = -1;
}

int wf_loop_enable_wakes(wf_loop *loop) {
  if (loop->wake_fds[0] >= 0) return 0;
  int rc = open_wake_fds(loop);
  if (rc != 0) return rc;
  rc = uv_poll_init(&loop->uv, &loop->wakes, loop->wake_fds[0]);
  if (rc != 0) {
    close_wake_fds(loop);
    return rc;
  }
  (void)uv_poll_start(&loop->wakes, UV_READABLE, on_wake);
  uv_unref((uv_handle_t *)&loop->wakes);
  return 0;
}

// A full pipe or counter wakes just as well.
void wf_loop_wake(wf_loop *loop) {
  static const uint64_t one = 1;
  if (loop->wake_fds[1] < 0) return;
  int before = errno;
  ssize_t n = write(loop->wake_fds[1], &one, sizeof one);
  (void)n;
  errno = before;
}

void wf_loop_take_wakes(wf_loop *loop) {
  loop->woken = false;
  if (loop->wake_fds[0] >= 0) read_wakes(loop);
}

static void close_handle(uv_handle_t *handle, void *arg) {
  (void)arg;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void wf_loop_close(wf_loop *loop) {
  uv_walk(&loop->uv, close_handle, NULL);
  while (turn(loop) != 0) {
  }
  close_wake_fds(loop);
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

// Less than libuv counts, or no handle that it would wait for.
static void wait_exactly(wf_loop *loop, uint64_t timeout_ns) {
  if (turn(loop) == 0 && timeout_ns == WF_NEVER && loop->wake_fds[0] < 0) return;
  if (loop->happened || loop->woken) return;
  bool pending = wf_loop_pending(loop);
  // Of a loop without handles it says 0: there is nothing to wait for, but a timer of ours may be.
  int uv_ms = pending ? uv_backend_timeout(&loop->uv) : -1;
  if (uv_ms >= 0 && (uint64_t)uv_ms * 1000000 < timeout_ns) timeout_ns = (uint64_t)uv_ms * 1000000;
  if (pending && has_new_watchers(loop)) timeout_ns = 0;
  if (timeout_ns > 0) {
    struct pollfd fds[2] = {{.fd = uv_backend_fd(&loop->uv), .events = POLLIN},
                            {.fd = loop->wake_fds[0], .events = POLLIN}};
    poll_fds(fds, loop->wake_fds[0] >= 0 ? 2 : 1, timeout_ns);
    if (fds[1].revents != 0) read_wakes(loop);  // a loop without handles does not look
  }
  uv_update_time(&loop->uv);
  (void)turn(loop);
}

static void on_limit(uv_timer_t *timer) { (void)timer; }

void wf_loop_wait(wf_loop *loop, uint64_t timeout_ns) {
  uint64_t ms = timeout_ns / 1000000;
  loop->happened = false;
  if (timeout_ns == WF_NEVER ? wf_loop_pending(loop) : ms > 0 && wf_loop_pending(loop)) {
    if (timeout_ns != WF_NEVER) {
      uv_update_time(&loop->uv);
      (void)uv_timer_start(&loop->limit, on_limit, ms, 0);
    }
    (void)run(loop, UV_RUN_ONCE);
    if (timeout_ns != WF_NEVER) (void)uv_timer_stop(&loop->limit);
  } else {
    wait_exactly(loop, timeout_ns);
  }
  loop->woken = false;
}
