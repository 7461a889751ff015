// SPDX-License-Identifier: MIT
// The handler runs on the main thread, which is the runtime's own. It notes what runs, asks the
// runtime for an interrupt and tells the watcher, a thread that waits a second for it.
#include "signals.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_BY_SIGQUIT = 128 + SIGQUIT, PATIENCE_S = 1, STACK_BYTES = 256 * 1024 };

// What the handler tells the watcher, in one write.
typedef struct message {
  int signal;
  unsigned seen;  // interrupts until then
  weft_running_info running;
} message;

// Of the main thread and its handlers alone.
static pthread_t main_thread;
static weft *watched;
static volatile sig_atomic_t wanted;  // the signal that an interrupt is to answer, 0: none
static int to_watcher = -1;

// How many interrupts have come; written by the main thread under the lock.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t came = PTHREAD_COND_INITIALIZER;
static volatile unsigned interrupts;

static void handle(int signal) {
  int saved = errno;
  if (!pthread_equal(pthread_self(), main_thread)) {
    (void)pthread_kill(main_thread, signal);
  } else {
    if (wanted != SIGQUIT) wanted = signal;
    message m = {.signal = signal, .seen = interrupts};
    if (watched != NULL) {
      weft_running(watched, &m.running);
      weft_interrupt(watched);
    }
    // A full pipe holds enough signals to be watched over.
    ssize_t written = write(to_watcher, &m, sizeof m);
    (void)written;
  }
  errno = saved;
}

void signals_on_interrupt(void *ud) {
  (void)ud;
  int signal = wanted;
  if (signal == 0) return;
  wanted = 0;
  (void)pthread_mutex_lock(&lock);
  interrupts++;
  (void)pthread_cond_signal(&came);
  (void)pthread_mutex_unlock(&lock);
  (void)fflush(stdout);
  (void)weft_dump(watched, STDERR_FILENO);
  if (signal == SIGQUIT) exit(EXIT_BY_SIGQUIT);
}

// Whether an interrupt comes in time.
static bool comes(unsigned seen) {
  struct timespec end;
  (void)clock_gettime(CLOCK_REALTIME, &end);
  end.tv_sec += PATIENCE_S;
  int rc = 0;
  (void)pthread_mutex_lock(&lock);
  while (interrupts == seen && rc == 0) rc = pthread_cond_timedwait(&came, &lock, &end);
  bool in_time = interrupts != seen;
  (void)pthread_mutex_unlock(&lock);
  return in_time;
}

// Not through stdio, whose lock may be held; and nobody waits for a pipe that is full.
static void say(const char *text) {
  struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
  if (poll(&ready, 1, PATIENCE_S * 1000) <= 0) return;
  ssize_t written = write(STDERR_FILENO, text, strlen(text));
  (void)written;
}

static void complain(const message *m) {
  const weft_running_info *r = &m->running;
  char text[320], creator[140] = "created by the host";
  if (r->task == 0) {
    say("weft: no task runs, and no stacks can be shown now\n");
    return;
  }
  if (r->creator != 0) {
    (void)snprintf(creator, sizeof creator, "created by task %" PRIu64 " at %s", r->creator,
                   r->created_at);
  }
  (void)snprintf(text, sizeof text,
                 "weft: task %" PRIu64
                 " has kept its VM for %.1f s (%s): no stacks can be shown "
                 "while it runs\n",
                 r->task, r->seconds + PATIENCE_S, creator);
  say(text);
}

// Somebody may be in the middle of printing: then what is buffered stays so.
static void end_program(void) {
  if (ftrylockfile(stdout) == 0) (void)fflush(stdout);
  _exit(EXIT_BY_SIGQUIT);
}

static void *watch(void *arg) {
  int fd = *(int *)arg;
  message m;
  for (;;) {
    ssize_t n = read(fd, &m, sizeof m);
    if (n < 0 && errno == EINTR) continue;
    if (n != (ssize_t)sizeof m) return NULL;
    if (comes(m.seen)) continue;
    complain(&m);
    if (m.signal == SIGQUIT) end_program();
  }
}

// The watcher takes no signals itself.
static bool start_watcher(int *fd) {
  sigset_t all, old;
  pthread_attr_t attr;
  pthread_t thread;
  (void)sigfillset(&all);
  if (pthread_attr_init(&attr) != 0) return false;
  (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
  (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  int rc = pthread_create(&thread, &attr, watch, fd);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  (void)pthread_attr_destroy(&attr);
  return rc == 0;
}

static void start(void) {
  static int fds[2];
  if (pipe(fds) != 0) return;
  (void)fcntl(fds[0], F_SETFD, FD_CLOEXEC);
  (void)fcntl(fds[1], F_SETFD, FD_CLOEXEC);
  (void)fcntl(fds[1], F_SETFL, O_NONBLOCK);
  to_watcher = fds[1];
  main_thread = pthread_self();
  if (!start_watcher(&fds[0])) return;
  // Also where the shell had SIGQUIT ignored, as it does for what runs in the background.
  struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART};
  (void)sigemptyset(&action.sa_mask);
  (void)sigaddset(&action.sa_mask, SIGQUIT);
  (void)sigaddset(&action.sa_mask, SIGUSR1);
  (void)sigaction(SIGQUIT, &action, NULL);
  (void)sigaction(SIGUSR1, &action, NULL);
}

void signals_watch(weft *w) {
  watched = w;
  if (to_watcher < 0) start();
}
