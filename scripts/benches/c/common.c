// SPDX-License-Identifier: MIT
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

void bench_die(const char *what) {
  if (errno != 0) {
    (void)fprintf(stderr, "%s: %s\n", what, strerror(errno));
  } else {
    (void)fprintf(stderr, "%s\n", what);
  }
  exit(1);
}

long bench_number(const char *text, long least) {
  char *end;
  errno = 0;
  long n = strtol(text, &end, 10);
  if (errno != 0 || *end != '\0' || end == text || n < least) {
    errno = 0;
    bench_die("a wrong number on the command line");
  }
  return n;
}

bench_server bench_server_start(char **words) {
  int fds[2];
  if (pipe(fds) != 0) bench_die("pipe");
  pid_t self = getpid(), pid = fork();
  if (pid < 0) bench_die("fork");
  if (pid == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != self) _exit(1);
    (void)dup2(fds[1], 1);
    (void)close(fds[0]);
    (void)close(fds[1]);
    (void)execvp(words[0], words);
    bench_die(words[0]);
  }
  (void)close(fds[1]);
  bench_server server = {.pid = pid};
  FILE *out = fdopen(fds[0], "r");
  char line[64] = "";
  if (out == NULL || fgets(line, sizeof line, out) == NULL) {
    errno = 0;
    bench_die("the server has not told its port");
  }
  line[strcspn(line, "\n")] = '\0';
  server.port = (int)bench_number(line, 1);
  return server;  // `out` stays open: a server that prints more is not to end by that
}

double bench_server_cpu_ns(const bench_server *server) {
  clockid_t clock;
  int rc = clock_getcpuclockid(server->pid, &clock);
  if (rc != 0) {
    errno = rc;
    bench_die("the server's clock");
  }
  return bench_clock_ns(clock);
}

double bench_server_rss_bytes(const bench_server *server) {
  char path[64], text[128] = "";
  (void)snprintf(path, sizeof path, "/proc/%d/statm", server->pid);
  FILE *file = fopen(path, "r");
  if (file == NULL || fgets(text, sizeof text, file) == NULL) bench_die(path);
  (void)fclose(file);
  char *at = strchr(text, ' ');
  return at != NULL ? (double)strtol(at, NULL, 10) * (double)sysconf(_SC_PAGESIZE) : 0;
}

void bench_server_stop(const bench_server *server) {
  (void)kill(server->pid, SIGKILL);
  (void)waitpid(server->pid, NULL, 0);
}
