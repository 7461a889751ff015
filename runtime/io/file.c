// SPDX-License-Identifier: MIT
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/size.h"
#include "io/handle.h"
#include "io/path.h"
#include "sched/runtime.h"
#include "task/site.h"

enum {
  AT_ONCE = 65536,               // at most that much is read without a thread
  BLOCK = WF_SIZE(65536, 5),     // for lines
  PIECE = WF_SIZE(1 << 20, 97),  // of what is read or written
};

typedef struct file_call {
  wf_call call;
  wf_file *file;  // of open: NULL
  wf_file_args args;
  int fd;
  int64_t pos;   // where to read or write; -1: wherever the system is
  wf_vec data;   // what was read, or is to be written
  size_t want;   // so many more bytes
  int64_t left;  // of what is to be written, behind this piece
  bool end;      // there is no more to read,
  bool eof;      // and there was nothing at all
  bool some;     // less will do; of open: the path is a template
  bool owns;     // closes the descriptor
  struct stat st;
  char *path;  // of open
  int flags;
} file_call;

static file_call *of(wf_call *call) { return (file_call *)call; }

static void set_code(wf_call *call, int error) { call->code = uv_translate_sys_error(error); }

// The file ------------------------------------------------------------------------------------

static size_t in_block(const wf_file *f) { return f->block.size - f->block_at; }

static void drop_block(wf_file *f) {
  wf_vec_free(wf_obj_mem(&f->event.obj), &f->block);
  f->block_at = 0;
}

static void take_from_block(wf_file *f, size_t n) {
  f->block_at += n;
  f->pos += (int64_t)n;
  if (in_block(f) == 0) f->block.size = f->block_at = 0;
}

static int close_fd(wf_file *f) {
  int rc = f->fd >= 0 ? close(f->fd) : 0;
  f->fd = -1;
  drop_block(f);
  return rc == 0 || errno == EINTR ? 0 : uv_translate_sys_error(errno);
}

static void destroy_file(wf_obj *obj) {
  wf_file *f = (wf_file *)obj;
  if (f->fd >= 0 && !f->closed) wf_handle_unclosed(obj, f->path, f->site);
  (void)close_fd(f);
  if (f->path != NULL) wf_mem_free(wf_obj_mem(obj), f->path, strlen(f->path) + 1);
}

static void visit_file(wf_obj *obj, struct wf_mark *m) {
  for (wf_link *l = ((wf_file *)obj)->turns.queue.next; l != &((wf_file *)obj)->turns.queue;
       l = l->next) {
    wf_event_visit(&wf_container_of(l, wf_caller, turn)->event.obj, m);
  }
}

static const wf_kind file_kind = {
    .name = "file", .size = sizeof(wf_file), .destroy = destroy_file, .visit = visit_file};
static const char tag_file;

wf_file *wf_file_at(lua_State *L, int idx) { return (wf_file *)wf_obj_at(L, idx, &tag_file); }

// Opening -------------------------------------------------------------------------------------

static void free_call(wf_call *call) {
  file_call *c = of(call);
  if (c->owns && c->fd >= 0) (void)close(c->fd);
  wf_call_drop(call, c->path);
  wf_vec_free(&call->mem, &c->data);
}

static void run_open(wf_call *call) {
  file_call *c = of(call);
  int fd = c->some ? mkostemp(c->path, O_CLOEXEC) : open(c->path, c->flags, 0666);
  if (fd < 0 || fstat(fd, &c->st) != 0) set_code(call, errno);
  c->fd = fd;
  c->pos = lseek(fd, 0, SEEK_CUR);
}

static int push_file(lua_State *L, wf_call *call) {
  file_call *c = of(call);
  wf_vm *vm = call->caller->event.obj.vm;
  wf_file *f = (wf_file *)wf_obj_new(vm, L, &file_kind, &tag_file);
  wf_event_init(&f->event);
  wf_turns_init(&f->turns);
  f->fd = -1;
  f->path = wf_mem_new(&vm->rt->mem, strlen(c->path) + 1);
  if (f->path == NULL) wf_site_raise(L, "not enough memory");
  memcpy(f->path, c->path, strlen(c->path));
  f->site = wf_handle_site(vm, L);
  lua_pushstring(L, c->path);
  f->fd = c->fd;
  c->fd = -1;
  f->seekable = c->pos >= 0;
  f->appends = (c->flags & O_APPEND) != 0;
  return 2;
}

static const wf_call_kind open_kind = {.what = "open",
                                       .size = sizeof(file_call),
                                       .run = run_open,
                                       .push = push_file,
                                       .free = free_call};

void wf_file_new_open(wf_vm *vm, lua_State *L, const char *path, int flags, bool is_template) {
  file_call *c = of(wf_call_new(vm, L, &open_kind, path, NULL, NULL));
  c->fd = -1;
  c->owns = true;
  c->flags = flags | O_CLOEXEC;
  c->some = is_template;
  c->path = wf_call_keep(&c->call, path, strlen(path));
  if (c->path == NULL) wf_site_raise(L, "not enough memory");
}

// Reading -------------------------------------------------------------------------------------

// On a thread. `want` bytes behind what is there, or to the end.
static void run_read(wf_call *call) {
  file_call *c = of(call);
  while (c->want > 0 && wf_u64_load(&call->job.stop, WF_RELAXED) == 0) {
    size_t piece = c->want < PIECE ? c->want : PIECE;
    if (c->data.capacity - c->data.size < piece && !wf_vec_grow(&call->mem, &c->data, piece)) {
      call->code = UV_ENOMEM;
      return;
    }
    uint8_t *place = c->data.data + c->data.size;
    ssize_t n = c->pos >= 0 ? pread(c->fd, place, piece, c->pos) : read(c->fd, place, piece);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) set_code(call, errno);
    if (n <= 0) c->end = true;
    if (n <= 0) return;
    c->data.size += (size_t)n;
    c->want -= (size_t)n;
    if (c->pos >= 0) c->pos += n;
    if (c->some) return;
  }
}

// Whether the block has what a read wants; else sets up the call for the rest.
static bool is_in_block(file_call *c) {
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
static bool keep_in_block(file_call *c) {
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

static bool read_now(file_call *c) {
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
static void deliver(file_call *c) {
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

static bool read_at_once(wf_call *call) {
  file_call *c = of(call);
  c->fd = c->file->fd;
  bool done = is_in_block(c);
  if (!done && read_now(c) && keep_in_block(c)) done = c->end || is_in_block(c);
  if (done) deliver(c);
  c->end = false;
  return done;
}

// The call has been made: the descriptor is the file's alone. False: that is closed by now.
static bool come_back(file_call *c) {
  if (c->file->closed) (void)close_fd(c->file);
  return !c->file->closed;
}

static bool more_to_read(wf_call *call, bool awaited) {
  file_call *c = of(call);
  wf_file *f = c->file;
  if (!come_back(c) || call->code < 0) return false;
  // What nobody waits for any more is worth keeping only where it cannot be read again.
  if (!awaited && f->seekable) return false;
  if (!keep_in_block(c)) call->code = UV_ENOMEM;
  if (call->code < 0 || !awaited) return false;
  if (!c->end && !is_in_block(c)) return true;
  deliver(c);
  return false;
}

bool wf_file_push_line(lua_State *L, wf_file *f) {
  size_t have = in_block(f);
  if (f->closed || have == 0 || !wf_list_empty(&f->turns.queue)) return false;
  const char *start = (const char *)f->block.data + f->block_at;
  const char *end = memchr(start, '\n', have);
  if (end == NULL) return false;
  lua_pushlstring(L, start, (size_t)(end - start));
  take_from_block(f, (size_t)(end - start) + 1);
  return true;
}

// Those of one offset have nothing to do with the block.
static bool read_at_at_once(wf_call *call) {
  file_call *c = of(call);
  c->fd = c->file->fd;
  c->pos = c->args.offset;
  c->want = (size_t)c->args.size;
  bool done = c->want == 0 || read_now(c);
  c->eof = done && c->want > 0 && c->data.size == 0;
  return done;
}

static bool after_read_at(wf_call *call, bool awaited) {
  file_call *c = of(call);
  (void)awaited;
  (void)come_back(c);
  c->eof = c->data.size == 0;
  return false;
}

static int push_data(lua_State *L, wf_call *call) {
  const file_call *c = of(call);
  if (c->eof) {
    lua_pushnil(L);
    lua_pushliteral(L, "eof");
    return 2;
  }
  lua_pushlstring(L, c->data.size > 0 ? (const char *)c->data.data : "", c->data.size);
  return 1;
}

// Writing -------------------------------------------------------------------------------------

static void run_write(wf_call *call) {
  file_call *c = of(call);
  c->want = 0;  // counts what has been written
  while (c->want < c->data.size) {
    const uint8_t *data = c->data.data + c->want;
    size_t size = c->data.size - c->want;
    ssize_t n = c->pos >= 0 ? pwrite(c->fd, data, size, c->pos) : write(c->fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      set_code(call, errno);
      break;
    }
    c->want += (size_t)n;
    if (c->pos >= 0) c->pos += n;
  }
  if ((c->flags & O_APPEND) != 0) c->args.offset = lseek(c->fd, 0, SEEK_CUR);
}

static bool take_piece(file_call *c) {
  size_t size = c->left < PIECE ? (size_t)c->left : PIECE;
  c->data.size = 0;
  void *place = wf_vec_add(&c->call.mem, &c->data, size);
  if (place == NULL) {
    c->call.code = UV_ENOMEM;
    return false;
  }
  memcpy(place, c->args.data, size);
  c->args.data += size;
  c->left -= (int64_t)size;
  return true;
}

static bool begin_write(wf_call *call) {
  file_call *c = of(call);
  wf_file *f = c->file;
  c->left = c->args.size;
  if (c->left == 0) return true;
  if (f->seekable) drop_block(f);
  f->written = true;
  c->fd = f->fd;
  c->pos = f->seekable && !f->appends ? f->pos : -1;
  return !take_piece(c);
}

static bool more_to_write(wf_call *call, bool awaited) {
  file_call *c = of(call);
  wf_file *f = c->file;
  f->pos = f->appends && f->seekable ? c->args.offset : f->pos + (int64_t)c->want;
  if (!come_back(c) || call->code < 0) return false;
  return awaited && c->left > 0 && take_piece(c);
}

// The rest ------------------------------------------------------------------------------------

static bool seek_at_once(wf_call *call) {
  file_call *c = of(call);
  wf_file *f = c->file;
  int64_t from = 0;
  if (!f->seekable) {
    call->code = UV_ESPIPE;
    return true;
  }
  if (c->args.data[0] == 'c') from = f->pos;
  if (c->args.data[0] == 'e') {
    if (fstat(f->fd, &c->st) != 0) set_code(call, errno);
    from = c->st.st_size;
  }
  if (call->code < 0) return true;
  if (from + c->args.offset < 0) {
    call->code = UV_EINVAL;
  } else if (from + c->args.offset != f->pos) {
    drop_block(f);
    f->pos = from + c->args.offset;
  }
  c->pos = f->pos;
  return true;
}

static int push_pos(lua_State *L, wf_call *call) {
  lua_pushnumber(L, (double)of(call)->pos);
  return 1;
}

static bool take_fd(wf_call *call) {
  of(call)->fd = of(call)->file->fd;
  return false;
}

static bool back(wf_call *call, bool awaited) {
  (void)awaited;
  (void)come_back(of(call));
  return false;
}

static void run_stat(wf_call *call) { wf_path_set_code(call, fstat(of(call)->fd, &of(call)->st)); }

static int push_stat(lua_State *L, wf_call *call) {
  wf_path_push_stat(L, &of(call)->st);
  return 1;
}

static void run_sync(wf_call *call) { wf_path_set_code(call, fsync(of(call)->fd)); }

static void run_truncate(wf_call *call) {
  wf_path_set_code(call, ftruncate(of(call)->fd, of(call)->args.size));
}

static bool begin_truncate(wf_call *call) {
  if (of(call)->file->seekable) drop_block(of(call)->file);
  return take_fd(call);
}

static void run_close(wf_call *call) {
  int rc = close(of(call)->fd);
  of(call)->fd = -1;
  if (rc != 0 && errno != EINTR) set_code(call, errno);
}

// The VM is closed while the call is made: the descriptor goes with it.
static void forget(wf_call *call) {
  file_call *c = of(call);
  if (c->file == NULL) return;
  c->file->fd = -1;
  c->owns = true;
}

#define FILE_KIND(WHAT, BEGIN, RUN, MORE, PUSH)                                                  \
  {                                                                                              \
    .what = (WHAT), .size = sizeof(file_call), .run = (RUN), .at_once = (BEGIN), .more = (MORE), \
    .push = (PUSH), .forget = forget, .free = free_call                                          \
  }

static const wf_call_kind kinds[] = {
    [WF_FILE_READ] = FILE_KIND("read", read_at_once, run_read, more_to_read, push_data),
    [WF_FILE_LINE] = FILE_KIND("read", read_at_once, run_read, more_to_read, push_data),
    [WF_FILE_READ_AT] = FILE_KIND("read", read_at_at_once, run_read, after_read_at, push_data),
    [WF_FILE_WRITE] = FILE_KIND("write", begin_write, run_write, more_to_write, wf_path_push_true),
    [WF_FILE_SEEK] = FILE_KIND("seek", seek_at_once, NULL, NULL, push_pos),
    [WF_FILE_STAT] = FILE_KIND("stat", take_fd, run_stat, back, push_stat),
    [WF_FILE_SYNC] = FILE_KIND("sync", take_fd, run_sync, back, wf_path_push_true),
    [WF_FILE_TRUNCATE] =
        FILE_KIND("truncate", begin_truncate, run_truncate, back, wf_path_push_true),
};
static const wf_call_kind close_kind =
    FILE_KIND("close", NULL, run_close, NULL, wf_path_push_true);

void wf_file_new_call(lua_State *L, wf_file *f, const wf_file_args *args) {
  const wf_call_kind *kind = &kinds[args->op];
  wf_vm *vm = f->event.obj.vm;
  file_call *c = of(wf_call_new(vm, L, kind, f->path, &f->turns, &f->event.obj));
  c->file = f;
  c->fd = -1;
  c->flags = f->appends ? O_APPEND : 0;
  c->args = *args;
}

bool wf_file_close(lua_State *L, wf_file *f, bool at_once, int *code) {
  bool in_use = !wf_list_empty(&f->turns.queue);
  f->closed = true;
  wf_call_close_all(&f->turns);
  *code = 0;
  if (in_use) return false;  // come_back closes it
  if (at_once || !f->written) {
    *code = close_fd(f);
    return false;
  }
  file_call *c = of(wf_call_new(f->event.obj.vm, L, &close_kind, f->path, NULL, NULL));
  c->fd = f->fd;
  c->owns = true;
  f->fd = -1;
  drop_block(f);
  return true;
}
