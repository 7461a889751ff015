// SPDX-License-Identifier: MIT
#include "io/sigpipe.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "loop/loop.h"

static void handle(int signal_number) {
  if (wf_loop_here) return;
  (void)signal(signal_number, SIG_DFL);
  (void)raise(signal_number);  // once this handler has returned
}

static void install(void) {
  struct sigaction now, ours = {.sa_handler = handle, .sa_flags = SA_RESTART};
  if (sigaction(SIGPIPE, NULL, &now) != 0 || now.sa_handler != SIG_DFL) return;
  (void)sigaction(SIGPIPE, &ours, NULL);
}

void wf_sigpipe_init(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  (void)pthread_once(&once, install);
}

bool wf_sigpipe_enter(void) {
  bool before = wf_loop_here;
  wf_loop_here = true;
  return before;
}

void wf_sigpipe_leave(bool before) { wf_loop_here = before; }
