// SPDX-License-Identifier: MIT
// The twin in plain C on libuv of what serves: uv serve-echo 0 THREADS 0. As a careful program
// does it: a loop a thread, each with a listener of its own at the same port; one buffer to read
// into for a whole loop; a write goes to the system at once, only what does not fit is copied.
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <uv.h>

#include "load.h"

enum { BACKLOG = 511, BUFFER = 65536 };

typedef struct rest {
  uv_write_t req;
  char bytes[];
} rest;

typedef struct server {
  uv_loop_t loop;
  uv_tcp_t listener;
  char buffer[BUFFER];
} server;

static void must(int rc, const char *what) {
  if (rc == 0) return;
  errno = -rc;
  bench_die(what);
}

static void alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
  (void)suggested;
  server *s = handle->loop->data;
  *buf = uv_buf_init(s->buffer, BUFFER);
}

static void on_close(uv_handle_t *handle) { free(handle); }

static void on_written(uv_write_t *req, int status) {
  (void)status;
  free(req);
}

static void write_all(uv_stream_t *stream, const char *bytes, size_t size) {
  uv_buf_t buf = uv_buf_init((char *)(uintptr_t)bytes, (unsigned)size);
  int n = uv_try_write(stream, &buf, 1);
  size_t done = n > 0 ? (size_t)n : 0;
  if (done == size) return;
  rest *r = malloc(sizeof *r + size - done);
  if (r == NULL) bench_die("malloc");
  memcpy(r->bytes, bytes + done, size - done);
  buf = uv_buf_init(r->bytes, (unsigned)(size - done));
  must(uv_write(&r->req, stream, &buf, 1, on_written), "write");
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
  if (n > 0) {
    write_all(stream, buf->base, (size_t)n);
  } else if (n < 0) {
    uv_close((uv_handle_t *)stream, on_close);
  }
}

static void on_connection(uv_stream_t *listener, int status) {
  must(status, "listen");
  uv_tcp_t *tcp = malloc(sizeof *tcp);
  if (tcp == NULL) bench_die("malloc");
  must(uv_tcp_init(listener->loop, tcp), "tcp");
  must(uv_accept(listener, (uv_stream_t *)tcp), "accept");
  must(uv_tcp_nodelay(tcp, 1), "nodelay");
  must(uv_read_start((uv_stream_t *)tcp, alloc, on_read), "read");
}

// Listens at the port (0: any), which it returns.
static int open_server(server *s, int port) {
  struct sockaddr_in at;
  int one = 1, size = sizeof at;
  uv_os_fd_t fd;
  must(uv_loop_init(&s->loop), "loop");
  s->loop.data = s;
  must(uv_tcp_init_ex(&s->loop, &s->listener, AF_INET), "tcp");
  must(uv_fileno((uv_handle_t *)&s->listener, &fd), "fileno");
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &one, sizeof one) != 0) bench_die("reuse_port");
  must(uv_ip4_addr("127.0.0.1", port, &at), "address");
  must(uv_tcp_bind(&s->listener, (const struct sockaddr *)&at, 0), "bind");
  must(uv_listen((uv_stream_t *)&s->listener, BACKLOG, on_connection), "listen");
  must(uv_tcp_getsockname(&s->listener, (struct sockaddr *)&at, &size), "name");
  return ntohs(at.sin_port);
}

static void run(void *arg) { (void)uv_run(&((server *)arg)->loop, UV_RUN_DEFAULT); }

int main(int argc, char **argv) {
  errno = 0;
  if (argc != 5 || strcmp(argv[1], "serve-echo") != 0) {
    bench_die("usage: uv serve-echo 0 THREADS 0");
  }
  long threads = bench_number(argv[3], 1);
  server *servers = calloc((size_t)threads, sizeof *servers);
  if (servers == NULL) bench_die("calloc");
  int port = 0;
  for (long i = 0; i < threads; i++) port = open_server(&servers[i], port);
  (void)printf("%d\n", port);
  (void)fflush(stdout);
  for (long i = 1; i < threads; i++) {
    uv_thread_t thread;
    must(uv_thread_create(&thread, run, &servers[i]), "thread");
  }
  run(&servers[0]);
  return 0;
}
