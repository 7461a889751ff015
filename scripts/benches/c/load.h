// SPDX-License-Identifier: MIT
// What the programs of scripts/benches/c share: how they fail, and the time.
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdint.h>
#include <stdnoreturn.h>
#include <time.h>

// Says "what: the system's words" and ends the program with status 1; errno 0: just what.
noreturn void bench_die(const char *what);

// A whole number from `least` on, from the command line.
long bench_number(const char *text, long least);

static inline double bench_clock_ns(clockid_t clock) {
  struct timespec ts;
  clock_gettime(clock, &ts);
  return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

// A program that serves: it prints the number of its port as its first line, and is killed when
// it is not needed any more, or when this process ends.
typedef struct bench_server {
  int pid, port;
} bench_server;

bench_server bench_server_start(char **words);
double bench_server_cpu_ns(const bench_server *server);
double bench_server_rss_bytes(const bench_server *server);
void bench_server_stop(const bench_server *server);

#endif
