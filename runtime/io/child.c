// SPDX-License-Identifier: MIT
#include "io/child.h"

#include <limits.h>  // for the version of the library

#if defined(__linux__) && defined(__GLIBC_PREREQ)
#if __GLIBC_PREREQ(2, 29)
#define HAS_CHILD 1
#endif
#endif

#ifdef HAS_CHILD

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

static int open_pid(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

bool wf_child_possible(void) {
  static _Atomic(int) known;  // 1: yes, 2: no
  if (known == 0) {
    int fd = open_pid(getpid());
    // Without descriptors nobody can say.
    if (fd < 0 && (errno == EMFILE || errno == ENFILE)) return true;
    known = fd >= 0 ? 1 : 2;
    if (fd >= 0) (void)close(fd);
  }
  return known == 1;
}

// The way of the three descriptors to 0, 1 and 2; those that lie there already, but elsewhere,
// have been copied out of the way.
static int add_actions(posix_spawn_file_actions_t *actions, const char *cwd, const int fds[3]) {
  int rc = 0;
  for (int i = 0; i < 3 && rc == 0; i++) {
    rc = posix_spawn_file_actions_adddup2(actions, fds[i], i);
  }
  if (rc == 0 && cwd != NULL) rc = posix_spawn_file_actions_addchdir_np(actions, cwd);
  return rc;
}

// Signals are as the program found them: what weft handles has its default action again by exec,
// and what was ignored at the start stays ignored.
static int set_attributes(posix_spawnattr_t *attributes) {
  sigset_t none, defaults;
  (void)sigemptyset(&none);
  (void)sigemptyset(&defaults);
  (void)sigaddset(&defaults, SIGPIPE);
  (void)posix_spawnattr_setsigmask(attributes, &none);
  (void)posix_spawnattr_setsigdefault(attributes, &defaults);
  return posix_spawnattr_setflags(
      attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

// Looks for the command in PATH: a failed exec costs 20 µs, a failed look 1. False: it has a path,
// or only the child can say, as where a folder of PATH is relative; or there is none.
static bool find_command(const char *name, char path[PATH_MAX]) {
  const char *at = getenv("PATH");
  if (at == NULL || name[0] == '\0' || strchr(name, '/') != NULL) return false;
  for (const char *end; *at == '/'; at = end + 1) {
    end = strchrnul(at, ':');
    int n = snprintf(path, PATH_MAX, "%.*s/%s", (int)(end - at), at, name);
    struct stat st;
    bool fits = n > 0 && n < PATH_MAX;
    if (fits && access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode))
      return true;
    if (*end == '\0') break;
  }
  return false;
}

static int spawn(wf_child *child, char **args, char **env, const char *cwd, const int fds[3]) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  char path[PATH_MAX];
  const char *command = find_command(args[0], path) ? path : args[0];
  int rc = posix_spawn_file_actions_init(&actions);
  if (rc != 0) return rc;
  rc = posix_spawnattr_init(&attributes);
  if (rc == 0) {
    rc = set_attributes(&attributes);
    if (rc == 0) rc = add_actions(&actions, cwd, fds);
    if (rc == 0) {
      rc = posix_spawnp(&child->pid, command, &actions, &attributes, args,
                        env != NULL ? env : environ);
    }
    (void)posix_spawnattr_destroy(&attributes);
  }
  (void)posix_spawn_file_actions_destroy(&actions);
  return rc;
}

int wf_child_start(wf_child *child, char **args, char **env, const char *cwd, const int fds[3]) {
  int safe[3], rc = 0;
  for (int i = 0; i < 3; i++) {
    bool in_the_way = fds[i] <= STDERR_FILENO && fds[i] != i;
    safe[i] = in_the_way ? fcntl(fds[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1) : fds[i];
    if (safe[i] < 0) rc = errno;
  }
  if (rc == 0) rc = spawn(child, args, env, cwd, safe);
  for (int i = 0; i < 3; i++) {
    if (safe[i] >= 0 && safe[i] != fds[i]) (void)close(safe[i]);
  }
  if (rc != 0) return rc;
  child->fd = open_pid(child->pid);
  if (child->fd >= 0) return 0;
  // Nobody could say when it ends.
  rc = errno;
  (void)kill(-child->pid, SIGKILL);
  while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
  }
  return rc;
}

bool wf_child_reap(const wf_child *child, int *code, int *signal) {
  int status;
  pid_t pid;
  *code = *signal = 0;
  do {
    pid = waitpid(child->pid, &status, WNOHANG);
  } while (pid < 0 && errno == EINTR);
  if (pid == 0) return false;
  if (pid < 0) return true;  // the host has taken it
  if (WIFEXITED(status)) *code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) *signal = WTERMSIG(status);
  return true;
}

#else

#include <errno.h>

bool wf_child_possible(void) { return false; }

int wf_child_start(wf_child *child, char **args, char **env, const char *cwd, const int fds[3]) {
  (void)child, (void)args, (void)env, (void)cwd, (void)fds;
  return ENOSYS;
}

bool wf_child_reap(const wf_child *child, int *code, int *signal) {
  (void)child, (void)code, (void)signal;
  return false;
}

#endif
