// SPDX-License-Identifier: MIT
#include "io/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/file_call.h"
#include "io/handle.h"
#include "io/path.h"
#include "sched/runtime.h"
#include "task/site.h"

// The file ------------------------------------------------------------------------------------

void wf_file_drop_block(wf_file *f) {
  wf_vec_free(wf_obj_mem(&f->event.obj), &f->block);
  f->block_at = 0;
}

static int close_fd(wf_file *f) {
  int rc = f->fd >= 0 ? close(f->fd) : 0;
  f->fd = -1;
  wf_file_drop_block(f);
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
  wf_file_call *c = wf_file_call_of(call);
  if (c->owns && c->fd >= 0) (void)close(c->fd);
  wf_call_drop(call, c->path);
  wf_vec_free(&call->mem, &c->data);
}

static void run_open(wf_call *call) {
  wf_file_call *c = wf_file_call_of(call);
  int fd = c->some ? mkostemp(c->path, O_CLOEXEC) : open(c->path, c->flags, 0666);
  if (fd < 0 || fstat(fd, &c->st) != 0) wf_file_set_code(call, errno);
  c->fd = fd;
  c->pos = lseek(fd, 0, SEEK_CUR);
}

static int push_file(lua_State *L, wf_call *call) {
  wf_file_call *c = wf_file_call_of(call);
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
                                       .size = sizeof(wf_file_call),
                                       .run = run_open,
                                       .push = push_file,
                                       .free = free_call};

void wf_file_new_open(wf_vm *vm, lua_State *L, const char *path, int flags, bool is_template) {
  wf_file_call *c = wf_file_call_of(wf_call_new(vm, L, &open_kind, path, NULL, NULL));
  c->fd = -1;
  c->owns = true;
  c->flags = flags | O_CLOEXEC;
  c->some = is_template;
  c->path = wf_call_keep(&c->call, path, strlen(path));
  if (c->path == NULL) wf_site_raise(L, "not enough memory");
}

bool wf_file_come_back(wf_file_call *c) {
  if (c->file->closed) (void)close_fd(c->file);
  return !c->file->closed;
}

// Writing -------------------------------------------------------------------------------------

static void run_write(wf_call *call) {
  wf_file_call *c = wf_file_call_of(call);
  c->want = 0;  // counts what has been written
  while (c->want < c->data.size) {
    const uint8_t *data = c->data.data + c->want;
    size_t size = c->data.size - c->want;
    ssize_t n = c->pos >= 0 ? pwrite(c->fd, data, size, c->pos) : write(c->fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      wf_file_set_code(call, errno);
      break;
    }
    c->want += (size_t)n;
    if (c->pos >= 0) c->pos += n;
  }
  if ((c->flags & O_APPEND) != 0) c->args.offset = lseek(c->fd, 0, SEEK_CUR);
}

static bool take_piece(wf_file_call *c) {
  size_t size = c->left < WF_FILE_PIECE ? (size_t)c->left : WF_FILE_PIECE;
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
  wf_file_call *c = wf_file_call_of(call);
  wf_file *f = c->file;
  c->left = c->args.size;
  if (c->left == 0) return true;
  if (f->seekable) wf_file_drop_block(f);
  f->written = true;
  c->fd = f->fd;
  c->pos = f->seekable && !f->appends ? f->pos : -1;
  return !take_piece(c);
}

static bool more_to_write(wf_call *call, bool awaited) {
  wf_file_call *c = wf_file_call_of(call);
  wf_file *f = c->file;
  f->pos = f->appends && f->seekable ? c->args.offset : f->pos + (int64_t)c->want;
  if (!wf_file_come_back(c) || call->code < 0) return false;
  return awaited && c->left > 0 && take_piece(c);
}

// The rest ------------------------------------------------------------------------------------

static bool seek_at_once(wf_call *call) {
  wf_file_call *c = wf_file_call_of(call);
  wf_file *f = c->file;
  int64_t from = 0;
  if (!f->seekable) {
    call->code = UV_ESPIPE;
    return true;
  }
  if (c->args.data[0] == 'c') from = f->pos;
  if (c->args.data[0] == 'e') {
    if (fstat(f->fd, &c->st) != 0) wf_file_set_code(call, errno);
    from = c->st.st_size;
  }
  if (call->code < 0) return true;
  if (from + c->args.offset < 0) {
    call->code = UV_EINVAL;
  } else if (from + c->args.offset != f->pos) {
    wf_file_drop_block(f);
    f->pos = from + c->args.offset;
  }
  c->pos = f->pos;
  return true;
}

static int push_pos(lua_State *L, wf_call *call) {
  lua_pushnumber(L, (double)wf_file_call_of(call)->pos);
  return 1;
}

static bool take_fd(wf_call *call) {
  wf_file_call_of(call)->fd = wf_file_call_of(call)->file->fd;
  return false;
}

static bool back(wf_call *call, bool awaited) {
  (void)awaited;
  (void)wf_file_come_back(wf_file_call_of(call));
  return false;
}

static void run_stat(wf_call *call) {
  wf_path_set_code(call, fstat(wf_file_call_of(call)->fd, &wf_file_call_of(call)->st));
}

static int push_stat(lua_State *L, wf_call *call) {
  wf_path_push_stat(L, &wf_file_call_of(call)->st);
  return 1;
}

static void run_sync(wf_call *call) { wf_path_set_code(call, fsync(wf_file_call_of(call)->fd)); }

static void run_truncate(wf_call *call) {
  wf_path_set_code(call, ftruncate(wf_file_call_of(call)->fd, wf_file_call_of(call)->args.size));
}

static bool begin_truncate(wf_call *call) {
  if (wf_file_call_of(call)->file->seekable) wf_file_drop_block(wf_file_call_of(call)->file);
  return take_fd(call);
}

static void run_close(wf_call *call) {
  int rc = close(wf_file_call_of(call)->fd);
  wf_file_call_of(call)->fd = -1;
  if (rc != 0 && errno != EINTR) wf_file_set_code(call, errno);
}

// The VM is closed while the call is made: the descriptor goes with it.
static void forget(wf_call *call) {
  wf_file_call *c = wf_file_call_of(call);
  if (c->file == NULL) return;
  c->file->fd = -1;
  c->owns = true;
}

#define FILE_KIND(WHAT, BEGIN, RUN, MORE, PUSH)                                     \
  {                                                                                 \
    .what = (WHAT), .size = sizeof(wf_file_call), .run = (RUN), .at_once = (BEGIN), \
    .more = (MORE), .push = (PUSH), .forget = forget, .free = free_call             \
  }

static const wf_call_kind kinds[] = {
    [WF_FILE_READ] = FILE_KIND("read", wf_file_read_at_once, wf_file_run_read,
                               wf_file_more_to_read, wf_file_push_data),
    [WF_FILE_LINE] = FILE_KIND("read", wf_file_read_at_once, wf_file_run_read,
                               wf_file_more_to_read, wf_file_push_data),
    [WF_FILE_READ_AT] = FILE_KIND("read", wf_file_read_at_at_once, wf_file_run_read,
                                  wf_file_after_read_at, wf_file_push_data),
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
  wf_file_call *c = wf_file_call_of(wf_call_new(vm, L, kind, f->path, &f->turns, &f->event.obj));
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
  if (in_use) return false;  // wf_file_come_back closes it
  if (at_once || !f->written) {
    *code = close_fd(f);
    return false;
  }
  wf_file_call *c =
      wf_file_call_of(wf_call_new(f->event.obj.vm, L, &close_kind, f->path, NULL, NULL));
  c->fd = f->fd;
  c->owns = true;
  f->fd = -1;
  wf_file_drop_block(f);
  return true;
}
