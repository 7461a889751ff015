// SPDX-License-Identifier: MIT
// Threads of the runtime's own: detached, as whoever needs to know counts them, and without
// signals, which are for the program's own threads.
#ifndef WF_BASE_THREAD_H
#define WF_BASE_THREAD_H

#include <pthread.h>
#include <stddef.h>

// 0 or an errno.
int wf_thread_start(pthread_t *thread, size_t stack_bytes, void *(*fn)(void *arg), void *arg);

#endif
