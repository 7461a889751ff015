// SPDX-License-Identifier: MIT
#include "io/outlet.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/sigpipe.h"
#include "sched/runtime.h"

enum { GATHER = WF_SIZE(16, 2) };

// What libuv has of a write, or a connect. It outlives the stream if need be.
struct wf_out {
  union {
    uv_write_t write;
    uv_connect_t connect;
  } req;
  wf_stream *owner;  // NULL: closed
  wf_mem mem;
  size_t size;  // of `data`
  char data[];
};

static struct wf_out *new_out(wf_stream *s, size_t size) {
  wf_mem *mem = wf_obj_mem(&s->h.obj);
  struct wf_out *out = mem->fn(mem->ud, NULL, 0, sizeof *out + size);
  if (out == NULL) return NULL;
  out->owner = s;
  out->mem = *mem;
  out->size = size;
  return out;
}

static void free_out(struct wf_out *out) {
  wf_mem mem = out->mem;
  if (out->owner != NULL) out->owner->out = NULL;
  wf_mem_free(&mem, out, sizeof *out + out->size);
}

void wf_outlet_drop(wf_stream *s) {
  if (s->out == NULL) return;
  s->out->owner = NULL;
  s->out = NULL;
}

// What is under way has ended: tells whoever waits for it, if anybody still does.
static void conclude(wf_stream *s, int code) {
  if (wf_list_empty(&s->writers)) return;
  wf_waiter *first = wf_container_of(s->writers.next, wf_waiter, link);
  if (first->slot == WF_STREAM_UNDER_WAY) (void)wf_handle_wake_one(first, code);
}

static void on_written(uv_write_t *req, int status) {
  struct wf_out *out = wf_container_of(req, struct wf_out, req.write);
  wf_stream *s = out->owner;
  free_out(out);
  if (s == NULL) return;
  wf_obj_ref(&s->h.obj);
  conclude(s, status);
  wf_outlet_serve(s);
  wf_obj_unref(&s->h.obj);
}

static void on_connected(uv_connect_t *req, int status) {
  struct wf_out *out = wf_container_of(req, struct wf_out, req.connect);
  wf_stream *s = out->owner;
  free_out(out);
  if (s == NULL) return;
  s->connecting = false;
  wf_obj_ref(&s->h.obj);
  conclude(s, status);
  wf_outlet_serve(s);
  wf_obj_unref(&s->h.obj);
}

// One call of the system's. The bytes that it has taken, 0: none now; below 0: a code.
static ssize_t send_some(const wf_stream *s, struct iovec *iov, int count) {
  int fd = wf_stream_fd(s);
  ssize_t n;
  bool before = wf_sigpipe_enter();
  do {
    n = count == 1 ? write(fd, iov->iov_base, iov->iov_len) : writev(fd, iov, count);
  } while (n < 0 && errno == EINTR);
  int error = errno;
  wf_sigpipe_leave(before);
  if (n >= 0) return n;
  return error == EAGAIN || error == EWOULDBLOCK ? 0 : uv_translate_sys_error(error);
}

// The strings of a write, from the first byte that has not gone out yet.
typedef struct rest {
  lua_State *L;
  int at, last;
  size_t skip;       // bytes of the one at `at`
  const char *data;  // instead of L's strings, `size` bytes, at and last alike
  size_t size;
} rest;

// The i-th string; NULL, and no size: it is none.
static const char *string_at(const rest *r, int i, size_t *size) {
  *size = r->size;
  if (r->L == NULL) return r->data;
  return lua_type(r->L, i) == LUA_TSTRING ? lua_tolstring(r->L, i, size) : NULL;
}

// As many as a call takes, `total` bytes; the next ones begin at `end`.
static int gather(const rest *r, struct iovec *iov, size_t *total, int *end) {
  int count = 0, i = r->at;
  size_t skip = r->skip;
  *total = 0;
  for (; i <= r->last && count < GATHER; i++) {
    size_t size;
    const char *data = string_at(r, i, &size);
    if (size > skip) {
      iov[count++] =
          (struct iovec){.iov_base = (void *)(uintptr_t)(data + skip), .iov_len = size - skip};
      *total += size - skip;
    }
    skip = 0;
  }
  *end = i;
  return count;
}

static void advance(rest *r, size_t n) {
  for (; r->at <= r->last; r->at++, r->skip = 0) {
    size_t size;
    (void)string_at(r, r->at, &size);
    if (size > r->skip + n) {
      r->skip += n;
      return;
    }
    n -= size - r->skip;
  }
}

static size_t size_of(const rest *r) {
  size_t total = 0;
  for (int i = r->at; i <= r->last; i++) {
    size_t size;
    (void)string_at(r, i, &size);
    total += size;
  }
  return total - r->skip;
}

// The rest goes to libuv, as a copy.
static int hand_over(wf_stream *s, rest *r) {
  struct wf_out *out = new_out(s, size_of(r));
  if (out == NULL) return UV_ENOMEM;
  size_t at = 0;
  for (; r->at <= r->last; r->at++, r->skip = 0) {
    size_t size;
    const char *data = string_at(r, r->at, &size);
    if (size == r->skip) continue;
    memcpy(out->data + at, data + r->skip, size - r->skip);
    at += size - r->skip;
  }
  uv_buf_t buf = uv_buf_init(out->data, (unsigned)out->size);
  bool before = wf_sigpipe_enter();  // it writes at once what it can
  int rc = uv_write(&out->req.write, &s->h.uv->u.stream, &buf, 1, on_written);
  wf_sigpipe_leave(before);
  if (rc != 0) {
    out->owner = NULL;
    free_out(out);
    return rc;
  }
  s->out = out;
  return 0;
}

// A file, or what is used like one, that somebody has made non-blocking.
static void wait_for_file(int fd) {
  struct pollfd ready = {.fd = fd, .events = POLLOUT};
  (void)poll(&ready, 1, -1);
}

// 1: all of it has gone out; 0: libuv has the rest; below 0: a code.
static int write_now(wf_stream *s, rest *r) {
  struct iovec iov[GATHER];
  for (;;) {
    size_t total;
    int end, count = gather(r, iov, &total, &end);
    if (count == 0) return 1;
    ssize_t n = send_some(s, iov, count);
    if (n < 0) return (int)n;
    if ((size_t)n == total) {
      r->at = end;
      r->skip = 0;
      if (end > r->last) return 1;
      continue;
    }
    advance(r, (size_t)n);
    if (s->fd < 0) return hand_over(s, r);
    if (n == 0) wait_for_file(s->fd);
  }
}

static bool is_busy(const wf_stream *s) { return s->out != NULL || !wf_list_empty(&s->writers); }

static int begin(wf_stream *s, rest *r, int16_t *slot) {
  *slot = 0;
  if (is_busy(s)) return 0;
  int rc = write_now(s, r);
  if (rc == 0) *slot = WF_STREAM_UNDER_WAY;
  return rc;
}

int wf_outlet_write(lua_State *L, wf_stream *s, int first, int last, int16_t *slot) {
  rest r = {.L = L, .at = first, .last = last};
  return begin(s, &r, slot);
}

int wf_outlet_write_from(wf_stream *s, const char *data, size_t size, int16_t *slot) {
  rest r = {.data = data, .size = size};
  return begin(s, &r, slot);
}

static int shut_now(wf_stream *s) {
  s->shut = true;
  if (shutdown(wf_stream_fd(s), SHUT_WR) == 0) return 1;
  return uv_translate_sys_error(errno);
}

int wf_outlet_shut(wf_stream *s, int16_t *slot) {
  *slot = 0;
  return is_busy(s) ? 0 : shut_now(s);
}

// The strings of a waiting writer lie between the stream and its own deadline; who wants to shut
// down has none.
static int serve_one(wf_stream *s, const wf_task *task) {
  lua_State *at = task->at;
  rest r = {.L = at, .at = 2, .last = lua_gettop(at) - 1};
  if (lua_toboolean(at, 1) == 0) return shut_now(s);
  return s->shut ? UV_EPIPE : write_now(s, &r);
}

void wf_outlet_serve(wf_stream *s) {
  wf_obj_ref(&s->h.obj);
  while (s->out == NULL && s->h.uv != NULL && !wf_list_empty(&s->writers)) {
    wf_waiter *first = wf_container_of(s->writers.next, wf_waiter, link);
    int rc = serve_one(s, first->task);
    if (rc == 0) s->begun_of = first->task->id;
    if (rc == 0) {
      first->slot = WF_STREAM_UNDER_WAY;
    } else {
      (void)wf_handle_wake_one(first, rc < 0 ? rc : 0);
    }
  }
  wf_stream_settle(s);
  wf_obj_unref(&s->h.obj);
}

static int begin_connect(wf_stream *s) {
  s->out = new_out(s, 0);
  return s->out != NULL ? 0 : UV_ENOMEM;
}

int wf_outlet_connect_tcp(wf_stream *s, const struct sockaddr *addr) {
  if (begin_connect(s) != 0) return UV_ENOMEM;
  int rc = uv_tcp_connect(&s->out->req.connect, &s->h.uv->u.tcp, addr, on_connected);
  if (rc != 0) free_out(s->out);
  s->connecting = rc == 0;
  return rc;
}

int wf_outlet_connect_unix(wf_stream *s, const char *path) {
  if (begin_connect(s) != 0) return UV_ENOMEM;
  uv_pipe_connect(&s->out->req.connect, &s->h.uv->u.pipe, path, on_connected);
  s->connecting = true;
  return 0;
}
