// SPDX-License-Identifier: MIT
// The system copies where it can (the file system may share the blocks then), and what it does not
// know the size of, as of pipes or of /proc, is read and written to the end. uv_fs_copyfile does
// not stop, and takes such files for empty.
#include "io/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/size.h"

enum { PIECE = WF_SIZE(8 << 20, 7), BUFFER = WF_SIZE(128 << 10, 7) };

typedef struct copy {
  wf_call *call;
  int from, to;
  wf_vec buffer;
} copy;

// Sets errno.
static bool is_stopped(const copy *c) {
  errno = ECANCELED;
  return wf_u64_load(&c->call->job.stop, WF_RELAXED) != 0;
}

// The system has not begun, and says that it never will.
static bool is_refusal(int error) {
  return error == EXDEV || error == EINVAL || error == ENOSYS || error == EOPNOTSUPP ||
         error == EPERM;
}

static ssize_t copy_piece(const copy *c) {
#ifdef __linux__
  return copy_file_range(c->from, NULL, c->to, NULL, PIECE, 0);
#else
  (void)c;
  errno = ENOSYS;
  return -1;
#endif
}

// As far as the system copies. False: a failure, in errno.
static bool copy_by_system(const copy *c) {
  ssize_t n;
  do {
    if (is_stopped(c)) return false;
    n = copy_piece(c);
  } while (n > 0 || (n < 0 && errno == EINTR));
  return n == 0 || is_refusal(errno);
}

static bool write_whole(const copy *c, size_t size) {
  for (size_t at = 0; at < size;) {
    ssize_t n = write(c->to, c->buffer.data + at, size - at);
    if (n < 0 && errno != EINTR) return false;
    if (n > 0) at += (size_t)n;
  }
  return true;
}

// What is left.
static bool copy_rest(copy *c) {
  if (!wf_vec_grow(&c->call->mem, &c->buffer, BUFFER)) {
    errno = ENOMEM;
    return false;
  }
  for (;;) {
    if (is_stopped(c)) return false;
    ssize_t n = read(c->from, c->buffer.data, BUFFER);
    if (n == 0) return true;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 || !write_whole(c, (size_t)n)) return false;
  }
}

// Into a file that is open. Devices and pipes stay what they are.
static bool copy_into(copy *c, const struct stat *from, const struct stat *to) {
  bool is_file = S_ISREG(to->st_mode);
  if (is_file && ftruncate(c->to, 0) != 0) return false;
  if (is_file && fchmod(c->to, from->st_mode & 07777) != 0) return false;
  if (is_file && from->st_size > 0 && !copy_by_system(c)) return false;
  return copy_rest(c);
}

static bool copy_to(copy *c, const char *path, const struct stat *from) {
  struct stat to;
  c->to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, from->st_mode & 0777);
  if (c->to < 0 || fstat(c->to, &to) != 0) return false;
  if (to.st_dev == from->st_dev && to.st_ino == from->st_ino) return true;
  if (copy_into(c, from, &to)) return true;
  int error = errno;
  if (S_ISREG(to.st_mode)) (void)unlink(path);
  errno = error;
  return false;
}

static bool copy_all(copy *c, const wf_path_call *p) {
  struct stat from;
  c->from = open(p->path, O_RDONLY | O_CLOEXEC);
  if (c->from < 0 || fstat(c->from, &from) != 0) return false;
  if (S_ISDIR(from.st_mode)) {
    errno = EISDIR;
    return false;
  }
  return copy_to(c, p->other, &from);
}

static void run(wf_call *call) {
  copy c = {.call = call, .from = -1, .to = -1};
  bool fine = copy_all(&c, (const wf_path_call *)call);
  int error = fine ? 0 : errno;
  if (c.from >= 0) (void)close(c.from);
  if (c.to >= 0 && close(c.to) != 0 && error == 0 && errno != EINTR) error = errno;
  wf_vec_free(&call->mem, &c.buffer);
  call->code = error == 0 ? 0 : uv_translate_sys_error(error);
}

const wf_call_kind wf_copy_kind = {.what = "copy",
                                   .size = sizeof(wf_path_call),
                                   .run = run,
                                   .push = wf_path_push_true,
                                   .free = wf_path_free};
