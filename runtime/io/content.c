// SPDX-License-Identifier: MIT
// Measured before the choice, a file of 6 bytes on ext4, all of it in memory: open, fstat, read
// and close 1.4 µs on the task's own thread; a call on another one and back 13 to 18, on a busy
// machine. Linux can say beforehand whether a file is in memory (RESOLVE_CACHED, RWF_NOWAIT): then
// there is nothing to wait for.
#include "io/content.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#if defined(SYS_openat2) && defined(RWF_NOWAIT) && __has_include(<linux/openat2.h>)
#include <linux/openat2.h>
#define HAS_CACHED_OPEN 1
#endif
#endif

#include "base/size.h"
#include "base/vec.h"
#include "loop/clock.h"
#include "task/site.h"

enum {
  SMALL = WF_SIZE(16384, 64),      // at most that much is read without a call
  AT_ONCE = 65536,                 // or without a thread
  PIECE = WF_SIZE(1 << 20, 7),     // of what is written
  READ_AHEAD = WF_SIZE(65536, 5),  // where nobody knows how much there is
};

typedef struct content {
  wf_call call;
  char *path, *target, *temp;  // wf_call_keep
  int fd, first_fd;
  wf_vec data;  // what was read, or the piece to be written
  const char *source;
  size_t left;  // of the source, behind this piece
  wf_content_options options;
  bool opened, last;
} content;

static content *of(wf_call *call) { return (content *)call; }

static void set_code(wf_call *call, int error) { call->code = uv_translate_sys_error(error); }

static void close_fd(int *fd) {
  if (*fd >= 0) (void)close(*fd);
  *fd = -1;
}

static void free_content(wf_call *call) {
  content *c = of(call);
  close_fd(&c->fd);
  close_fd(&c->first_fd);
  if (c->temp != NULL) (void)unlink(c->temp);
  wf_call_drop(call, c->path);
  wf_call_drop(call, c->target);
  wf_call_drop(call, c->temp);
  wf_vec_free(&call->mem, &c->data);
}

static content *new_content(wf_vm *vm, lua_State *L, const wf_call_kind *kind, const char *path) {
  content *c = of(wf_call_new(vm, L, kind, path, NULL, NULL));
  c->fd = c->first_fd = -1;
  c->path = wf_call_keep(&c->call, path, strlen(path));
  if (c->path == NULL) wf_site_raise(L, "not enough memory");
  return c;
}

// Reading -------------------------------------------------------------------------------------

// Reads until the end; `size`: what there ought to be. 0, or an errno.
static int read_all(content *c, size_t size) {
  wf_mem *mem = &c->call.mem;
  for (;;) {
    size_t room = c->data.capacity - c->data.size;
    // One byte more than there ought to be: a read that leaves it free was the last one.
    size_t want = size >= c->data.size ? size - c->data.size + 1 : READ_AHEAD;
    if (room < want && !wf_vec_grow(mem, &c->data, want)) return ENOMEM;
    room = c->data.capacity - c->data.size;
    if (room > (size_t)1 << 20) room = (size_t)1 << 20;
    ssize_t n = read(c->fd, c->data.data + c->data.size, room);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    c->data.size += (size_t)n;
    if (n == 0 || wf_u64_load(&c->call.job.stop, WF_RELAXED) != 0) return 0;
  }
}

static void run_read(wf_call *call) {
  content *c = of(call);
  struct stat st = {0};
  if (c->fd < 0) c->fd = open(c->path, O_RDONLY | O_CLOEXEC);
  int error = c->fd < 0 || fstat(c->fd, &st) != 0 ? errno : 0;
  close_fd(&c->first_fd);
  // Those of /proc say that they are empty.
  if (error == 0) error = read_all(c, S_ISREG(st.st_mode) ? (size_t)st.st_size : 0);
  close_fd(&c->fd);
  if (error != 0) set_code(call, error);
}

#ifdef HAS_CACHED_OPEN
// A file that is as long as that and in memory. Where its end is said where it lies: lseek takes
// 0.1 us, fstat 0.17. One byte more than there ought to be: a read that leaves it free was all.
static bool read_cached(int fd, void *to, size_t size) {
  struct iovec place = {.iov_base = to, .iov_len = size + 1};
  return preadv2(fd, &place, 1, 0, RWF_NOWAIT) == (ssize_t)size;
}

bool wf_content_read_now(lua_State *L, const char *path, int *fd) {
  char data[SMALL + 1];
  struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_CACHED};
  *fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
  if (*fd < 0) return false;
  off_t size = lseek(*fd, 0, SEEK_END);
  if (size <= 0 || size > SMALL || !read_cached(*fd, data, (size_t)size)) return false;
  close_fd(fd);
  lua_pushlstring(L, data, (size_t)size);
  return true;
}

static bool read_at_once(wf_call *call) {
  content *c = of(call);
  struct stat st;
  if (c->fd < 0 || lseek(c->fd, 0, SEEK_SET) != 0) {
    c->first_fd = c->fd;
    c->fd = -1;
    return false;
  }
  if (fstat(c->fd, &st) != 0 || !S_ISREG(st.st_mode)) {
    // A thread opens it again, and may wait there: for who writes into a pipe, say. Until then it
    // stays open, so that nobody sees it open and close again.
    c->first_fd = c->fd;
    c->fd = -1;
    return false;
  }
  size_t size = (size_t)st.st_size;
  if (st.st_size == 0 || st.st_size > AT_ONCE) return false;
  if (!wf_vec_grow(&call->mem, &c->data, size + 1)) return false;
  if (!read_cached(c->fd, c->data.data, size)) return false;
  c->data.size = size;
  close_fd(&c->fd);
  return true;
}
#else
#define read_at_once NULL
bool wf_content_read_now(lua_State *L, const char *path, int *fd) {
  (void)L;
  (void)path;
  *fd = -1;
  return false;
}
#endif

static int push_data(lua_State *L, wf_call *call) {
  const wf_vec *data = &of(call)->data;
  lua_pushlstring(L, data->size > 0 ? (const char *)data->data : "", data->size);
  return 1;
}

void wf_content_new_read(wf_vm *vm, lua_State *L, const char *path, int fd) {
  new_content(vm, L, &wf_content_read, path)->fd = fd;
}

// Writing -------------------------------------------------------------------------------------

// A file beside the target that takes its place in the end: 0, or an errno.
static int open_temp(content *c) {
  static wf_atomic_u64 count;
  char resolved[PATH_MAX], name[48];
  struct stat st;
  // What a link leads to is replaced, not the link.
  const char *target = realpath(c->path, resolved);
  if (target == NULL) target = c->path;
  c->target = wf_call_keep(&c->call, target, strlen(target));
  if (c->target == NULL) return ENOMEM;
  const char *slash = strrchr(target, '/');
  size_t dir = slash != NULL ? (size_t)(slash - target) + 1 : 0;
  for (int i = 0; i < 100; i++) {
    unsigned long long n = wf_u64_fetch_add(&count, 1, WF_RELAXED);
    n += wf_clock_machine_ns();
    (void)snprintf(name, sizeof name, ".weft-%lx-%llx", (long)getpid(), n);
    char path[PATH_MAX + sizeof name];
    if (dir >= PATH_MAX) return ENAMETOOLONG;
    memcpy(path, target, dir);
    memcpy(path + dir, name, strlen(name) + 1);
    c->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (c->fd < 0 && errno == EEXIST) continue;
    if (c->fd < 0) return errno;
    c->temp = wf_call_keep(&c->call, path, strlen(path));
    if (c->temp == NULL) {
      (void)unlink(path);
      return ENOMEM;
    }
    break;
  }
  if (c->fd < 0) return EEXIST;
  if (stat(c->target, &st) == 0) {
    if (!S_ISREG(st.st_mode)) return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
    if (c->options.mode < 0) c->options.mode = st.st_mode & 07777;
    if (fchown(c->fd, st.st_uid, st.st_gid) != 0 && errno != EPERM) return errno;
  }
  return c->options.mode >= 0 && fchmod(c->fd, (mode_t)c->options.mode) != 0 ? errno : 0;
}

static int open_target(content *c) {
  if (c->options.atomic) return open_temp(c);
  int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (c->options.append ? O_APPEND : O_TRUNC);
  mode_t mode = c->options.mode >= 0 ? (mode_t)c->options.mode : 0666;
  c->fd = open(c->path, flags, mode);
  return c->fd < 0 ? errno : 0;
}

static int write_piece(content *c) {
  for (size_t at = 0; at < c->data.size;) {
    ssize_t n = write(c->fd, c->data.data + at, c->data.size - at);
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) at += (size_t)n;
  }
  return 0;
}

// The folder as well, or the name may be lost with the power.
static void sync_folder(const content *c) {
  char dir[PATH_MAX];
  const char *slash = strrchr(c->target, '/');
  size_t length = slash == NULL ? 0 : (size_t)(slash - c->target) + 1;
  if (length >= sizeof dir) return;
  memcpy(dir, length > 0 ? c->target : ".", length > 0 ? length : 1);
  dir[length > 0 ? length : 1] = '\0';
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  (void)close(fd);
}

static int finish_write(content *c) {
  if (c->options.atomic && fsync(c->fd) != 0) return errno;
  int rc = close(c->fd);
  c->fd = -1;
  if (rc != 0 && errno != EINTR) return errno;
  if (!c->options.atomic) return 0;
  if (rename(c->temp, c->target) != 0) return errno;
  wf_call_drop(&c->call, c->temp);
  c->temp = NULL;
  sync_folder(c);
  return 0;
}

static void run_write(wf_call *call) {
  content *c = of(call);
  int error = c->opened ? 0 : open_target(c);
  c->opened = true;
  if (error == 0) error = write_piece(c);
  if (error == 0 && c->last) error = finish_write(c);
  if (error == 0) return;
  set_code(call, error);
  close_fd(&c->fd);
  if (c->temp == NULL) return;
  (void)unlink(c->temp);
  wf_call_drop(call, c->temp);
  c->temp = NULL;
}

// Copies the next piece of the source, for the thread. False: no memory.
static bool take_piece(content *c) {
  size_t size = c->left < PIECE ? c->left : PIECE;
  c->data.size = 0;
  if (size > 0) {
    void *place = wf_vec_add(&c->call.mem, &c->data, size);
    if (place == NULL) return false;
    memcpy(place, c->source, size);
  }
  c->source += size;
  c->left -= size;
  c->last = c->left == 0;
  return true;
}

static bool more_to_write(wf_call *call, bool awaited) {
  content *c = of(call);
  if (call->code < 0 || c->last || !awaited) return false;
  if (take_piece(c)) return true;
  call->code = UV_ENOMEM;
  return false;
}

static int push_true(lua_State *L, wf_call *call) {
  (void)call;
  lua_pushboolean(L, 1);
  return 1;
}

void wf_content_new_write(wf_vm *vm, lua_State *L, const char *path, const char *data, size_t size,
                          const wf_content_options *options) {
  content *c = new_content(vm, L, &wf_content_write, path);
  c->source = data;
  c->left = size;
  c->options = *options;
  if (!take_piece(c)) wf_site_raise(L, "not enough memory");
}

const wf_call_kind wf_content_read = {.what = "read",
                                      .size = sizeof(content),
                                      .run = run_read,
                                      .at_once = read_at_once,
                                      .push = push_data,
                                      .free = free_content};
const wf_call_kind wf_content_write = {.what = "write",
                                       .size = sizeof(content),
                                       .run = run_write,
                                       .more = more_to_write,
                                       .push = push_true,
                                       .free = free_content};
