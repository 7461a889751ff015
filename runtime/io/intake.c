// SPDX-License-Identifier: MIT
#include "io/intake.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "io/block.h"
#include "sched/runtime.h"
#include "task/guard.h"

enum { MIN_ROOM = WF_SIZE(4096, 4), SMALLEST = WF_SIZE(64, 1), FEW = WF_SIZE(8, 1) };

static size_t unread(const wf_stream *s) { return s->end - s->start; }

// Where the end of the separator is, from `start` on; 0: nowhere. What has been looked through
// before is not looked through again.
static size_t find(wf_stream *s, const wf_want *want) {
  const char *from = s->buf + s->start;
  size_t size = unread(s), back = want->sep_size - 1;
  size_t skip = s->scanned > back ? s->scanned - back : 0;
  if (size < want->sep_size) return 0;
  const char *at = memmem(from + skip, size - skip, want->sep, want->sep_size);
  s->scanned = size;
  return at != NULL ? (size_t)(at - from) + want->sep_size : 0;
}

// How many bytes are the answer to the want. False: none yet, or *code instead.
static bool answer(wf_stream *s, const wf_want *want, size_t *bytes, int *code) {
  size_t size = unread(s);
  *code = 0;
  *bytes = 0;
  switch (want->mode) {
    case WF_READ_SOME:
    case WF_READ_INTO:
      *bytes = size < want->n ? size : want->n;
      if (size > 0) return true;
      break;
    case WF_READ_EXACTLY:
      *bytes = want->n;
      if (size >= want->n) return true;
      break;
    case WF_READ_UNTIL:
    case WF_READ_LINE:
      *bytes = find(s, want);
      if (*bytes > 0 && *bytes - want->sep_size <= want->n) return true;
      if (*bytes > 0 || size >= want->n + want->sep_size) *code = WF_IO_TOO_LONG;
      break;
    case WF_READ_ALL:
      *bytes = size;
      if (size > want->n) {
        *code = WF_IO_TOO_LONG;
      } else if (s->end_code == UV_EOF) {
        return true;
      }
      break;
  }
  if (*code == 0) *code = s->end_code;
  return false;
}

static void release(wf_stream *s) {
  if (s->buf == NULL) return;
  if (s->capacity == WF_BLOCK_SIZE) {
    wf_block_give(s->h.obj.vm, s->buf);
  } else {
    wf_mem_free(wf_obj_mem(&s->h.obj), s->buf, s->capacity);
  }
  s->buf = NULL;
  s->start = s->end = s->capacity = 0;
}

void wf_intake_free(wf_stream *s) {
  if (!s->pushing) release(s);
}

// A block leaves, and comes, as what it is to the allocator.
void wf_intake_leave(wf_stream *s, wf_intake_rest *rest) {
  *rest = (wf_intake_rest){.buf = s->buf,
                           .start = s->start,
                           .end = s->end,
                           .capacity = s->capacity,
                           .end_code = s->end_code};
  if (s->capacity == WF_BLOCK_SIZE) s->h.obj.vm->blocks.used--;
  s->buf = NULL;
  s->start = s->end = s->capacity = 0;
}

void wf_intake_put(wf_stream *s, wf_intake_rest *rest) {
  s->buf = rest->buf;
  s->start = rest->start;
  s->end = rest->end;
  s->capacity = rest->capacity;
  s->end_code = rest->end_code;
  if (s->capacity == WF_BLOCK_SIZE) s->h.obj.vm->blocks.used++;
  rest->buf = NULL;
}

void wf_intake_drop(wf_mem *mem, wf_intake_rest *rest) {
  if (rest->buf != NULL) wf_mem_free(mem, rest->buf, rest->capacity);
  rest->buf = NULL;
}

static void consume(wf_stream *s, size_t bytes) {
  s->start += bytes;
  s->scanned = 0;
  s->scanned_by = 0;
  if (s->start == s->end) release(s);
}

// Reading goes on when there is room again.
static void resume(wf_stream *s) {
  if (!s->reading && s->end_code == 0 && unread(s) < WF_STREAM_AHEAD / 2) (void)wf_intake_start(s);
}

typedef struct push_job {
  const char *at;
  size_t size;
} push_job;

static int push_string(lua_State *L, void *ud) {
  const push_job *j = ud;
  lua_pushlstring(L, j->at, j->size);
  return 1;
}

// Before the string is made scripts' finalisers may run, and use the stream.
static void push(lua_State *L, wf_stream *s, const wf_want *want, size_t bytes) {
  push_job j = {.at = s->buf != NULL ? s->buf + s->start : "", .size = bytes};
  if (want->mode == WF_READ_LINE) {
    j.size--;
    if (j.size > 0 && j.at[j.size - 1] == '\r') j.size--;
  }
  s->pushing = true;
  int status = wf_guard(s->h.obj.vm, L, push_string, &j, 0, 1);
  s->pushing = false;
  if (status == 0) consume(s, bytes);
  if (!wf_stream_is_open(s)) release(s);
  if (status != 0) lua_error(L);
}

static wf_intake_result result(lua_State *L, wf_stream *s, const wf_want *want, int *code) {
  size_t bytes;
  if (!answer(s, want, &bytes, code)) return *code != 0 ? WF_INTAKE_CODE : WF_INTAKE_WAIT;
  if (want->mode == WF_READ_INTO) {
    lua_pushboolean(L, 1);
    return WF_INTAKE_BYTES;
  }
  push(L, s, want, bytes);
  resume(s);
  return WF_INTAKE_BYTES;
}

static bool grow(wf_stream *s) {
  if (s->start > 0) {
    memmove(s->buf, s->buf + s->start, unread(s));
    s->end -= s->start;
    s->start = 0;
    if (s->capacity - s->end >= MIN_ROOM) return true;
  }
  wf_mem *mem = wf_obj_mem(&s->h.obj);
  bool small = s->capacity < WF_BLOCK_SIZE;
  size_t capacity = small ? WF_BLOCK_SIZE : s->capacity * 2, end = s->end;
  char *buf = small ? wf_block_take(s->h.obj.vm) : mem->fn(mem->ud, NULL, 0, capacity);
  if (buf == NULL) return s->capacity > s->end;
  memcpy(buf, s->buf, end);
  release(s);
  s->buf = buf;
  s->end = end;
  s->capacity = capacity;
  return true;
}

static bool make_room(wf_stream *s) {
  if (s->buf != NULL) return s->capacity - s->end >= MIN_ROOM || grow(s);
  s->buf = wf_block_take(s->h.obj.vm);
  if (s->buf == NULL) return false;
  s->capacity = WF_BLOCK_SIZE;
  return true;
}

// One call of the system's: how many bytes, or a code.
static ssize_t receive(int fd, char *to, size_t room) {
  ssize_t n;
  do {
    n = read(fd, to, room);
  } while (n < 0 && errno == EINTR);
  if (n > 0) return n;
  return n == 0 ? UV_EOF : uv_translate_sys_error(errno);
}

// Files are read at once: their reads do not wait.
static void read_file(wf_stream *s) {
  if (!make_room(s)) {
    s->end_code = UV_ENOMEM;
    return;
  }
  ssize_t n = receive(s->fd, s->buf + s->end, s->capacity - s->end);
  if (n > 0) {
    s->end += (size_t)n;
  } else {
    s->end_code = (int)n;
  }
}

wf_intake_result wf_intake_try(lua_State *L, wf_stream *s, const wf_want *want, int *code) {
  if (s->due || s->pushing || !wf_list_empty(&s->readers)) return WF_INTAKE_WAIT;
  s->scanned = 0;
  wf_intake_result r = result(L, s, want, code);
  while (r == WF_INTAKE_WAIT && s->fd >= 0) {
    read_file(s);
    r = result(L, s, want, code);
  }
  return r;
}

static void stop(wf_stream *s) {
  if (!s->reading) return;
  s->reading = false;
  (void)uv_read_stop(&s->h.uv->u.stream);
}

static wf_task *first_reader(const wf_stream *s) {
  return wf_container_of(s->readers.next, wf_waiter, link)->task;
}

// What the task wants, the first of the readers or the one that has just been served.
static const wf_want *want_of(wf_stream *s, const wf_task *task, lua_State *L) {
  if (s->want_of != task->id) {
    s->want = wf_intake_want(L, 2);
    s->want_of = task->id;
  }
  return &s->want;
}

void wf_intake_expect(wf_stream *s, const wf_task *task, const wf_want *want) {
  if (wf_list_empty(&s->readers)) {
    s->want = *want;
    s->want_of = task->id;
  } else if (s->want_of == task->id) {
    s->want_of = 0;  // it wanted something else the last time
  }
}

// A little in a big block moves to a small one, as of a thousand streams each may have a little;
// not so what somebody is about to take, if it is much or nearly the only one: what comes first in
// many blocks, all at a multiple of their size, has few places in the processor's caches.
static void fit(wf_stream *s) {
  size_t size = unread(s);
  if (size == 0) {
    release(s);
    return;
  }
  if (s->capacity != WF_BLOCK_SIZE || size > WF_BLOCK_SIZE / 2) return;
  const wf_blocks *blocks = &s->h.obj.vm->blocks;
  bool awaited = !wf_list_empty(&s->readers) && !wf_block_is_short(s->h.obj.vm);
  if (awaited && (size > MIN_ROOM || blocks->used <= FEW)) return;
  wf_mem *mem = wf_obj_mem(&s->h.obj);
  size_t capacity = SMALLEST;
  while (capacity < size) capacity *= 2;
  char *buf = mem->fn(mem->ud, NULL, 0, capacity);
  if (buf == NULL) return;
  memcpy(buf, s->buf + s->start, size);
  release(s);
  s->buf = buf;
  s->end = size;
  s->capacity = capacity;
}

// Reads what was left. Somebody else may have been there first: a child has the same descriptor.
static wf_intake_result receive_left(wf_stream *s, char *to, size_t room, size_t *bytes,
                                     int *code) {
  ssize_t n = receive(wf_stream_fd(s), to, room);
  if (n > 0) {
    *bytes = (size_t)n;
    return WF_INTAKE_BYTES;
  }
  if (n == UV_EAGAIN) return WF_INTAKE_WAIT;
  *code = s->end_code = (int)n;
  stop(s);
  return WF_INTAKE_CODE;
}

static wf_intake_result read_left(lua_State *L, wf_stream *s, const wf_want *want, int *code) {
  if (!make_room(s)) {
    *code = UV_ENOMEM;
    return WF_INTAKE_CODE;
  }
  wf_intake_result r = receive_left(s, s->buf, s->capacity, &s->end, code);
  if (r != WF_INTAKE_BYTES) {
    release(s);
    return r;
  }
  r = result(L, s, want, code);
  if (s->buf != NULL) fit(s);
  return r;
}

// The running task is no longer one that has been woken. Whether the system still has the bytes.
static bool end_due(wf_stream *s) {
  bool left = s->left;
  if (left) s->h.obj.vm->blocks.left--;
  s->due = s->left = false;
  return left;
}

wf_intake_result wf_intake_take(lua_State *L, wf_stream *s, int *code) {
  wf_want want = *want_of(s, s->h.obj.vm->current, L);  // serving others changes it
  bool left = end_due(s);
  if (!wf_stream_is_open(s)) {
    *code = WF_IO_CLOSED;
    return WF_INTAKE_CODE;
  }
  s->scanned = 0;
  wf_intake_result r = left ? read_left(L, s, &want, code) : result(L, s, &want, code);
  if (!wf_list_empty(&s->readers)) wf_intake_serve(s);
  return r;
}

// From the stream's buffer.
static wf_intake_result copy_out(wf_stream *s, char *to, size_t room, size_t *bytes, int *code) {
  wf_want want = {.mode = WF_READ_INTO, .n = room};
  if (!answer(s, &want, bytes, code)) return *code != 0 ? WF_INTAKE_CODE : WF_INTAKE_WAIT;
  memcpy(to, s->buf + s->start, *bytes);
  consume(s, *bytes);
  resume(s);
  return WF_INTAKE_BYTES;
}

wf_intake_result wf_intake_take_into(wf_stream *s, char *to, size_t room, size_t *bytes,
                                     int *code) {
  bool left = end_due(s);
  if (!wf_stream_is_open(s)) {
    *code = WF_IO_CLOSED;
    return WF_INTAKE_CODE;
  }
  wf_intake_result r = WF_INTAKE_WAIT;
  if (to != NULL) {
    r = left ? receive_left(s, to, room, bytes, code) : copy_out(s, to, room, bytes, code);
  }
  if (!wf_list_empty(&s->readers)) wf_intake_serve(s);
  return r;
}

wf_want wf_intake_want(lua_State *L, int first) {
  wf_want want = {.mode = (wf_read_mode)lua_tointeger(L, first)};
  double n = lua_tonumber(L, first + 1);
  want.n = n < (double)(SIZE_MAX / 4) ? (size_t)n : SIZE_MAX / 4;
  if (want.mode == WF_READ_LINE) {
    want.sep = "\n";
    want.sep_size = 1;
  } else if (want.mode == WF_READ_UNTIL) {
    want.sep = lua_tolstring(L, first + 2, &want.sep_size);
  }
  return want;
}

void wf_intake_serve(wf_stream *s) {
  wf_obj_ref(&s->h.obj);
  while (!s->due && !wf_list_empty(&s->readers)) {
    wf_task *task = first_reader(s);
    const wf_want *want = want_of(s, task, task->at);
    size_t bytes;
    int code;
    if (s->scanned_by != task->id) s->scanned = 0;
    s->scanned_by = task->id;
    if (!answer(s, want, &bytes, &code) && code == 0) break;
    s->due = wf_handle_wake(&s->readers, 0);
  }
  wf_stream_settle(s);
  wf_obj_unref(&s->h.obj);
}

// libuv's side ---------------------------------------------------------------------------------

// Whether what has come is left where it is for the first reader, who reads when it runs.
static bool is_left(const wf_stream *s) {
  if (s->left) return true;
  if (s->due || s->buf != NULL || wf_list_empty(&s->readers)) return false;
  return s->want_of == first_reader(s)->id &&
         (s->want.mode == WF_READ_SOME || s->want.mode == WF_READ_INTO) &&
         s->h.uv->u.handle.type != UV_TTY;  // one may be used by others too, and block
}

static void leave(wf_stream *s) {
  if (s->left) return;
  wf_obj_ref(&s->h.obj);
  s->left = s->due = wf_handle_wake(&s->readers, 0);
  if (s->left) s->h.obj.vm->blocks.left++;
  wf_stream_settle(s);
  wf_obj_unref(&s->h.obj);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  wf_stream *s = (wf_stream *)wf_uv_owner(handle);
  *buf = uv_buf_init(NULL, 0);
  if (is_left(s) || !make_room(s)) return;
  *buf = uv_buf_init(s->buf + s->end, (unsigned)(s->capacity - s->end));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  (void)buf;
  wf_stream *s = (wf_stream *)wf_uv_owner(stream);
  if (n == UV_ENOBUFS && is_left(s)) {
    leave(s);
    return;
  }
  if (n > 0) s->end += (size_t)n;
  fit(s);
  if (n == 0) return;
  if (n == UV_ENOBUFS) {  // memory is out: whoever reads now is told, and may try again
    stop(s);
    if (!wf_list_empty(&s->readers)) (void)wf_handle_wake(&s->readers, UV_ENOMEM);
  } else if (n < 0) {
    s->end_code = (int)n;
    stop(s);
  }
  wf_obj_ref(&s->h.obj);
  wf_intake_serve(s);
  bool more = !s->due && !wf_list_empty(&s->readers);
  if (s->h.uv != NULL && !more && unread(s) >= WF_STREAM_AHEAD / 2) stop(s);
  wf_obj_unref(&s->h.obj);
}

int wf_intake_start(wf_stream *s) {
  if (s->reading || s->end_code != 0 || s->h.uv == NULL) return 0;
  int rc = uv_read_start(&s->h.uv->u.stream, on_alloc, on_read);
  s->reading = rc == 0;
  return rc;
}
