// SPDX-License-Identifier: MIT
// Drives a server that gives back what it gets: load CONNS SIZE COUNT SERVER…
//
// Starts the server, opens CONNS connections, and sends messages of SIZE bytes over all of them at
// once, on each the next one when the last has come back, COUNT in all; each differs from all the
// others, and every byte of an answer is compared. COUNT 0: the connections are only opened, one
// message on each, and stay. Prints as harness.lua does, with the bytes that came back as the
// checksum:
//   time   nanoseconds a message, from the first to the last of COUNT (some before them warm up)
//   cpu    nanoseconds of processor time that the server has used for each
//   bytes  memory that the server has got for a connection
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SPARE_FDS = 64, EVENTS = 256, WARM_UP = 5, MOST = 1 << 20 };

typedef struct conn {
  int fd;
  uint32_t number;
  uint32_t message;  // the number of the one under way
  long left;         // messages to come, that one included
  size_t sent, got;  // bytes of it
  bool waits_to_send;
} conn;

static struct {
  conn *conns;
  long count;
  size_t size;
  int epoll;
  long under_way;  // connections with a message under way
  double received;
  char *out, *in;
} load;

// Both ends have so many descriptors.
static void raise_limit(long conns) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) bench_die("getrlimit");
  rlim_t needed = (rlim_t)conns + SPARE_FDS;
  if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < needed) {
    (void)fprintf(stderr,
                  "%ld connections need %ld descriptors, and the limit is %ld: ulimit -Hn\n",
                  conns, (long)needed, (long)limit.rlim_max);
    exit(1);
  }
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) bench_die("setrlimit");
}

// The message of a connection: its numbers, and bytes that the numbers shift.
static void compose(const conn *c, char *message) {
  uint32_t head[2] = {c->message, c->number};
  memset(message, (int)('a' + (c->message + c->number) % 26), load.size);
  memcpy(message, head, load.size < sizeof head ? load.size : sizeof head);
}

static void watch(conn *c, int op) {
  struct epoll_event event = {.events = EPOLLIN | (c->waits_to_send ? EPOLLOUT : 0),
                              .data.ptr = c};
  if (epoll_ctl(load.epoll, op, c->fd, &event) != 0) bench_die("epoll_ctl");
}

static void send_rest(conn *c) {
  if (c->sent < load.size) {
    compose(c, load.out);
    ssize_t n = write(c->fd, load.out + c->sent, load.size - c->sent);
    if (n < 0 && errno != EAGAIN) bench_die("write");
    if (n > 0) c->sent += (size_t)n;
  }
  bool waits = c->sent < load.size;
  if (waits == c->waits_to_send) return;
  c->waits_to_send = waits;
  watch(c, EPOLL_CTL_MOD);
}

static void begin(conn *c) {
  c->message++;
  c->sent = c->got = 0;
  send_rest(c);
}

static void check(const conn *c, const char *bytes, size_t n) {
  compose(c, load.out);
  errno = 0;
  if (c->got + n > load.size) bench_die("the server sends more than it gets");
  if (memcmp(bytes, load.out + c->got, n) != 0) bench_die("the server sends something else");
}

static void receive(conn *c) {
  ssize_t n = read(c->fd, load.in, load.size);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) bench_die("read");
  check(c, load.in, (size_t)n);
  c->got += (size_t)n;
  load.received += (double)n;
  if (c->got < load.size) return;
  if (--c->left > 0) {
    begin(c);
  } else {
    load.under_way--;
  }
}

// So many messages over every connection.
static void exchange(long each) {
  load.under_way = load.count;
  for (long i = 0; i < load.count; i++) {
    load.conns[i].left = each;
    begin(&load.conns[i]);
  }
  while (load.under_way > 0) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(load.epoll, events, EVENTS, 10000);
    if (n == 0) errno = ETIMEDOUT;
    if (n <= 0) bench_die("epoll_wait");
    for (int i = 0; i < n; i++) {
      conn *c = events[i].data.ptr;
      if ((events[i].events & EPOLLOUT) != 0) send_rest(c);
      if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0) receive(c);
    }
  }
}

// Also exchanges a message, so that it has been accepted and served.
static void open_one(conn *c, int port) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int one = 1;
  struct linger reset = {.l_onoff = 1};  // leaves no port behind that waits
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (c->fd < 0) bench_die("socket");
  if (connect(c->fd, (struct sockaddr *)&at, sizeof at) != 0) bench_die("connect");
  (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  c->left = 1;
  c->message++;
  compose(c, load.out);
  if (write(c->fd, load.out, load.size) != (ssize_t)load.size) bench_die("write");
  c->sent = load.size;
  while (c->got < load.size) {
    ssize_t n = read(c->fd, load.in, load.size);
    if (n <= 0) bench_die("read");
    check(c, load.in, (size_t)n);
    c->got += (size_t)n;
  }
  if (fcntl(c->fd, F_SETFL, O_NONBLOCK) != 0) bench_die("fcntl");
  watch(c, EPOLL_CTL_ADD);
}

static void open_all(int port) {
  load.epoll = epoll_create1(EPOLL_CLOEXEC);
  load.conns = calloc((size_t)load.count, sizeof *load.conns);
  load.out = malloc(load.size);
  load.in = malloc(load.size);
  if (load.epoll < 0 || load.conns == NULL || load.out == NULL || load.in == NULL) {
    bench_die("load");
  }
  for (long i = 0; i < load.count; i++) {
    load.conns[i].number = (uint32_t)i;
    open_one(&load.conns[i], port);
  }
}

static void print(const char *figure, double value, double checksum, long count) {
  (void)printf("%s %.6f %.0f %ld\n", figure, value, checksum, count);
}

int main(int argc, char **argv) {
  errno = 0;
  if (argc < 5) bench_die("usage: load CONNS SIZE COUNT SERVER...");
  load.count = bench_number(argv[1], 1);
  load.size = (size_t)bench_number(argv[2], 1);
  long each = bench_number(argv[3], 0) / load.count;
  if (load.size > MOST) bench_die("messages of more than 1 MiB");
  raise_limit(load.count);
  bench_server server = bench_server_start(argv + 4);
  double rss = bench_server_rss_bytes(&server);
  open_all(server.port);
  if (each == 0) {
    print("bytes", (bench_server_rss_bytes(&server) - rss) / (double)load.count,
          (double)load.count, load.count);
    bench_server_stop(&server);
    return 0;
  }
  exchange(each / WARM_UP + 1);
  load.received = 0;
  double cpu = bench_server_cpu_ns(&server), start = bench_clock_ns(CLOCK_MONOTONIC);
  exchange(each);
  long count = each * load.count;
  double took = bench_clock_ns(CLOCK_MONOTONIC) - start;
  print("time", took / (double)count, load.received, count);
  print("cpu", (bench_server_cpu_ns(&server) - cpu) / (double)count, load.received, count);
  bench_server_stop(&server);
  return 0;
}
