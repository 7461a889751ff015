// SPDX-License-Identifier: MIT
#include "io/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const names[] = {"stdin", "stdout", "stderr"};

// A pipe has its flags in what open gave: another open, other flags. -1: it cannot be.
static int open_again(int fd, int flags) {
  char path[64];
  (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return open(path, flags | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

// Sockets are read through a duplicate, which shares its flags: there is no other way.
static int another(int number, uv_handle_type *type) {
  struct stat st;
  int flags = number == 0 ? O_RDONLY : O_WRONLY;
  if (fstat(number, &st) != 0) return -1;
  if (S_ISFIFO(st.st_mode)) {
    *type = UV_NAMED_PIPE;
    return open_again(number, flags);
  }
  if (!S_ISSOCK(st.st_mode) || number != 0) return -1;
  *type = uv_guess_handle(number) == UV_TCP ? UV_TCP : UV_NAMED_PIPE;
  return fcntl(number, F_DUPFD_CLOEXEC, 3);
}

static int open_stream(wf_stream *s, int number) {
  uv_handle_type type = uv_guess_handle(number);
  if (type == UV_TTY) {
    s->network = "tty";
    if (wf_stream_open_fd(s, type, number) == 0) return 0;
  } else {
    int fd = another(number, &type);
    s->network = "pipe";
    if (fd >= 0 && wf_stream_open_fd(s, type, fd) == 0) return 0;
    if (fd >= 0) (void)close(fd);
  }
  if (fcntl(number, F_GETFD) < 0) return uv_translate_sys_error(errno);
  s->network = "file";
  s->fd = number;
  return 0;
}

int wf_stdio_open(wf_vm *vm, lua_State *L, int number) {
  wf_stream *s = wf_stream_new(vm, L, "file");
  s->standard = number + 1;
  int rc = open_stream(s, number);
  if (rc != 0) return rc;
  return wf_stream_set_name(s, names[number]) ? 0 : UV_ENOMEM;
}

void wf_stdio_flush(const wf_stream *s) {
  if (s->standard == 2) (void)fflush(stdout);
  if (s->standard == 3) (void)fflush(stderr);
}

void wf_stdio_give_up(int number) {
  if (number == 1) (void)fflush(stdout);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return;
  (void)dup2(null, number);
  (void)close(null);
}
