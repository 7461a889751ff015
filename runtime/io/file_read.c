// SPDX-License-Identifier: MIT
// Reading from files: the block, lines, and what is in memory already. Symbols: wf_file
#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "io/file_call.h"

enum {
  AT_ONCE = 65536,            // at most that much is read without a thread
  BLOCK = WF_SIZE(65536, 5),  // for lines
  LINE = WF_SIZE(4096, 4),    // at most that long are those that take no call
};

static size_t in_block(const wf_file *f) { return f->block.size - f->block_at; }

static void take_from_block(wf_file *f, size_t n) {
  f->block_at += n;
  f->pos += (int64_t)n;
  if (in_block(f) == 0) f->block.size = f->block_at = 0;
}

// On a thread. `want` bytes behind what is there, or to the end.
void wf_file_run_read(wf_call *call) {
  wf_file_call *c = wf_file_call_of(call);
  while (c->want > 0 && wf_u64_load(&call->job.stop, WF_RELAXED) == 0) {
    size_t piece = c->want < WF_FILE_PIECE ? c->want : WF_FILE_PIECE;
    if (c->data.capacity - c->data.size < piece && !wf_vec_grow(&call->mem, &c->data, piece)) {
      call->code = UV_ENOMEM;
      return;
    }
    uint8_t *place = c->data.data + c->data.size;
    ssize_t n = c->pos >= 0 ? pread(c->fd, place, piece, c->pos) : read(c->fd, place, piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) wf_file_set_code(call, errno);
    if (n <= 0) c->end = true;
    if (n <= 0) return;
    c->data.size += (size_t)n;
    c->want -= (size_t)n;
    if (c->pos >= 0) c->pos += n;
    if (c->some) return;
  }
}

// Whether the block has what a read wants; else sets up the call for the rest.
static bool is_in_block(wf_file_call *c) {
  const wf_file *f = c->file;
  size_t have = in_block(f), want = (size_t)c->args.size;
  if (c->args.op == WF_FILE_LINE) {
    if (have > 0 && memchr(f->block.data + f->block_at, '\n', have) != NULL) return true;
    want = have + BLOCK;
    c->some = true;
  } else if (have >= want || (have > 0 && !f->seekable)) {
    return true;
  }
  c->want = want - have;
  c->pos = f->seekable ? f->pos + (int64_t)have : -1;
  if (!f->seekable) c->some = true;
  return false;
}

// What was read goes behind what is in the block. False: no memory.
static bool keep_in_block(wf_file_call *c) {
  wf_file *f = c->file;
  wf_mem *mem = &c->call.mem;
  if (c->data.size == 0) return true;
  if (in_block(f) == 0) {
    wf_vec_free(mem, &f->block);
    f->block_at = 0;
    f->block = c->data;
    c->data = (wf_vec){0};
    return true;
  }
  if (f->block_at > 0) {
    memmove(f->block.data, f->block.data + f->block_at, in_block(f));
    f->block.size -= f->block_at;
    f->block_at = 0;
  }
  void *place = wf_vec_add(mem, &f->block, c->data.size);
  if (place == NULL) return false;
  memcpy(place, c->data.data, c->data.size);
  c->data.size = 0;
  return true;
}

static bool read_now(wf_file_call *c) {
#if defined(__linux__) && defined(RWF_NOWAIT)
  if (c->pos < 0 || c->want > AT_ONCE || !wf_vec_grow(&c->call.mem, &c->data, c->want)) {
    return false;
  }
  struct iovec place = {.iov_base = c->data.data, .iov_len = c->want};
  ssize_t n = preadv2(c->fd, &place, 1, c->pos, RWF_NOWAIT);
  if (n < 0 || (n > 0 && (size_t)n < c->want && !c->some)) return false;
  c->data.size = (size_t)n;
  c->want -= (size_t)n;
  c->pos += n;
  c->end = n == 0;
  return true;
#else
  (void)c;
  return false;
#endif
}

// Takes the result out of the block: the position moves.
static void deliver(wf_file_call *c) {
  wf_file *f = c->file;
  wf_mem *mem = &c->call.mem;
  size_t have = in_block(f), n = have, skip = 0;
  c->data.size = 0;
  if (c->args.op == WF_FILE_LINE) {
    const uint8_t *start = f->block.data + f->block_at;
    const uint8_t *end = have > 0 ? memchr(start, '\n', have) : NULL;
    if (end != NULL) n = (size_t)(end - start);
    skip = end != NULL ? 1 : 0;
  } else if (n > (size_t)c->args.size) {
    n = (size_t)c->args.size;
  }
  c->eof = have == 0 && (c->args.op == WF_FILE_LINE || c->args.size > 0);
  if (f->block_at == 0 && n == have && skip == 0) {
    wf_vec_free(mem, &c->data);
    c->data = f->block;
    f->block = (wf_vec){0};
    f->pos += (int64_t)n;
    return;
  }
  void *place = n > 0 ? wf_vec_add(mem, &c->data, n) : NULL;
  if (place == NULL && n > 0) {
    c->call.code = UV_ENOMEM;
    return;
  }
  if (n > 0) memcpy(place, f->block.data + f->block_at, n);
  take_from_block(f, n + skip);
}

bool wf_file_read_at_once(wf_call *call) {
  wf_file_call *c = wf_file_call_of(call);
  c->fd = c->file->fd;
  bool done = is_in_block(c);
  if (!done && read_now(c) && keep_in_block(c)) done = c->end || is_in_block(c);
  if (done) deliver(c);
  c->end = false;
  return done;
}

bool wf_file_more_to_read(wf_call *call, bool awaited) {
  wf_file_call *c = wf_file_call_of(call);
  wf_file *f = c->file;
  if (!wf_file_come_back(c) || call->code < 0) return false;
  // What nobody waits for any more is worth keeping only where it cannot be read again.
  if (!awaited && f->seekable) return false;
  if (!keep_in_block(c)) call->code = UV_ENOMEM;
  if (call->code < 0 || !awaited) return false;
  if (!c->end && !is_in_block(c)) return true;
  deliver(c);
  return false;
}

bool wf_file_push_line(lua_State *L, wf_file *f) {
  char line[LINE];
  for (;;) {
    size_t have = in_block(f);
    if (f->closed || have == 0 || !wf_list_empty(&f->turns.queue)) return false;
    const uint8_t *start = f->block.data + f->block_at;
    const uint8_t *end = memchr(start, '\n', have);
    if (end == NULL || end - start > LINE) return false;
    size_t size = (size_t)(end - start);
    memcpy(line, start, size);
    int64_t pos = f->pos;
    lua_pushlstring(L, line, size);
    // Before the string was made scripts' finalisers may have run, and used the file.
    if (f->pos == pos && in_block(f) == have) {
      take_from_block(f, size + 1);
      return true;
    }
    lua_pop(L, 1);
  }
}

// Those of one offset have nothing to do with the block.
bool wf_file_read_at_at_once(wf_call *call) {
  wf_file_call *c = wf_file_call_of(call);
  c->fd = c->file->fd;
  c->pos = c->args.offset;
  c->want = (size_t)c->args.size;
  bool done = c->want == 0 || read_now(c);
  c->eof = done && c->want > 0 && c->data.size == 0;
  return done;
}

bool wf_file_after_read_at(wf_call *call, bool awaited) {
  wf_file_call *c = wf_file_call_of(call);
  (void)awaited;
  (void)wf_file_come_back(c);
  c->eof = c->data.size == 0;
  return false;
}

int wf_file_push_data(lua_State *L, wf_call *call) {
  const wf_file_call *c = wf_file_call_of(call);
  if (c->eof) {
    lua_pushnil(L);
    lua_pushliteral(L, "eof");
    return 2;
  }
  lua_pushlstring(L, c->data.size > 0 ? (const char *)c->data.data : "", c->data.size);
  return 1;
}
