// SPDX-License-Identifier: MIT
#include "loop/loop.h"

#include <poll.h>

#include "base/check.h"
#include "loop/clock.h"

int wf_loop_init(wf_loop *loop) { return uv_loop_init(&loop->uv); }

int wf_loop_enable_wakes(wf_loop *loop) {
  int rc = uv_async_init(&loop->uv, &loop->wake, NULL);
  if (rc != 0) return rc;
  loop->wakes = true;
  wf_loop_take_wakes(loop);  // only a turn makes its descriptor known to the kernel
  return 0;
}

void wf_loop_wake(wf_loop *loop) {
  if (loop->wakes) (void)uv_async_send(&loop->wake);
}

// A loop with nothing else on it would not look at the handle, and so never sleep again.
void wf_loop_take_wakes(wf_loop *loop) {
  if (!loop->wakes) return;
  uv_ref((uv_handle_t *)&loop->wake);
  (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
  uv_unref((uv_handle_t *)&loop->wake);
}

static void close_handle(uv_handle_t *handle, void *arg) {
  (void)arg;
  if (!uv_is_closing(handle)) uv_close(handle, NULL);
}

void wf_loop_close(wf_loop *loop) {
  uv_walk(&loop->uv, close_handle, NULL);
  while (uv_run(&loop->uv, UV_RUN_NOWAIT) != 0) {
  }
  int rc = uv_loop_close(&loop->uv);
  WF_ASSERT(rc == 0);
  (void)rc;
}

void wf_loop_turn(wf_loop *loop) { (void)uv_run(&loop->uv, UV_RUN_NOWAIT); }

static void poll_fd(struct pollfd *fd, uint64_t timeout_ns) {
#ifdef __linux__
  struct timespec ts = {.tv_sec = (time_t)(timeout_ns / WF_NS_PER_S),
                        .tv_nsec = (long)(timeout_ns % WF_NS_PER_S)};
  (void)ppoll(fd, 1, timeout_ns == WF_NEVER ? NULL : &ts, NULL);
#else
  uint64_t ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
  (void)poll(fd, 1, timeout_ns == WF_NEVER ? -1 : (int)(ms < 1000000 ? ms : 1000000));
#endif
}

void wf_loop_wait(wf_loop *loop, uint64_t timeout_ns) {
  // A turn first: it registers new watchers with the kernel and may already have something to run.
  if (uv_run(&loop->uv, UV_RUN_NOWAIT) == 0 && timeout_ns == WF_NEVER) return;
  // Of a loop without handles it says 0: there is nothing to wait for, but a timer of ours may be.
  int uv_ms = wf_loop_pending(loop) ? uv_backend_timeout(&loop->uv) : -1;
  if (uv_ms >= 0 && (uint64_t)uv_ms * 1000000 < timeout_ns) timeout_ns = (uint64_t)uv_ms * 1000000;
  if (timeout_ns > 0) {
    struct pollfd fd = {.fd = uv_backend_fd(&loop->uv), .events = POLLIN};
    poll_fd(&fd, timeout_ns);
  }
  uv_update_time(&loop->uv);
  (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
}
