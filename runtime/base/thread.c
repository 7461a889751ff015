// SPDX-License-Identifier: MIT
#include "base/thread.h"

#include <signal.h>

int wf_thread_start(pthread_t *thread, size_t stack_bytes, void *(*fn)(void *arg), void *arg) {
  pthread_attr_t attr;
  int rc = pthread_attr_init(&attr);
  if (rc != 0) return rc;
  (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  (void)pthread_attr_setstacksize(&attr, stack_bytes);
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  rc = pthread_create(thread, &attr, fn, arg);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_attr_destroy(&attr);
  return rc;
}
