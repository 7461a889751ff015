// SPDX-License-Identifier: MIT
// Runs a program that looks names up, beside a name server for it: names PROGRAM…
//
// The server answers a question for the address (A) of a name that begins with "n" and a number
// with the address 10.a.b.c that has the number's three bytes, and any other one with nothing. The
// program finds where the server is in WEFT_NAMESERVERS; the status is the program's.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "load.h"

enum { HEAD = 12, MOST = 512, TYPE_A = 1 };

static unsigned two_bytes(const unsigned char *at) { return (unsigned)at[0] << 8 | at[1]; }

// Turns a question into its answer; the new length, or 0 when it is none. What follows the first
// question (EDNS) is left out.
static size_t answer(unsigned char *message, size_t size) {
  size_t at = HEAD;
  if (size < HEAD || two_bytes(message + 4) != 1) return 0;
  while (at < size && message[at] != 0) at += message[at] + 1U;
  at++;
  if (at + 4 > size) return 0;
  unsigned type = two_bytes(message + at);
  at += 4;
  message[2] = (unsigned char)(0x84 | (message[2] & 1));  // an answer, by who knows
  message[3] = 0x80;
  memset(message + 6, 0, 6);
  if (type != TYPE_A || message[HEAD + 1] != 'n') return at;
  // The name of the question, type A, class IN, 60 s, 4 bytes.
  static const unsigned char record[] = {0xc0, HEAD, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, 10};
  long n = strtol((char *)message + HEAD + 2, NULL, 10);
  unsigned char bytes[] = {(unsigned char)(n >> 16), (unsigned char)(n >> 8), (unsigned char)n};
  if (at + sizeof record + sizeof bytes > MOST) return 0;
  message[7] = 1;
  memcpy(message + at, record, sizeof record);
  memcpy(message + at + sizeof record, bytes, sizeof bytes);
  return at + sizeof record + sizeof bytes;
}

static void *serve(void *arg) {
  int fd = *(const int *)arg;
  for (;;) {
    unsigned char message[MOST + 1];  // a zero follows
    struct sockaddr_in from;
    socklen_t size = sizeof from;
    memset(message, 0, sizeof message);
    ssize_t n = recvfrom(fd, message, MOST, 0, (struct sockaddr *)&from, &size);
    size_t length = n > 0 ? answer(message, (size_t)n) : 0;
    if (length > 0) (void)sendto(fd, message, length, 0, (struct sockaddr *)&from, size);
  }
  return NULL;
}

// The port.
static int open_server(int *fd) {
  struct sockaddr_in at = {.sin_family = AF_INET};
  socklen_t size = sizeof at;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  *fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (*fd < 0 || bind(*fd, (struct sockaddr *)&at, size) != 0) bench_die("bind");
  if (getsockname(*fd, (struct sockaddr *)&at, &size) != 0) bench_die("getsockname");
  return ntohs(at.sin_port);
}

int main(int argc, char **argv) {
  int fd, status = 0;
  char address[32];
  pthread_t thread;
  errno = 0;
  if (argc < 2) bench_die("usage: names PROGRAM...");
  (void)snprintf(address, sizeof address, "127.0.0.1:%d", open_server(&fd));
  if (setenv("WEFT_NAMESERVERS", address, 1) != 0) bench_die("setenv");
  pid_t pid = fork();
  if (pid < 0) bench_die("fork");
  if (pid == 0) {
    (void)execvp(argv[1], argv + 1);
    bench_die(argv[1]);
  }
  errno = pthread_create(&thread, NULL, serve, &fd);
  if (errno != 0) bench_die("thread");
  if (waitpid(pid, &status, 0) != pid) bench_die("waitpid");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
