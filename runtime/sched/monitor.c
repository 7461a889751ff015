// SPDX-License-Identifier: MIT
// The monitor looks at its worker a few times in the span that it is to notice. Two looks that
// meet the same slice tell that it has lasted for the time between them. Time is counted look by
// look, each for at most twice the usual distance and without what the kernel says the worker's
// thread has waited for a processor, so that a process that was stopped (SIGSTOP, a debugger, a
// laptop's lid) or got no time blames nobody.
//
// A slice that ends is reported by the worker, which can say where the task has got to; one that
// goes on is reported by the monitor, with what the task's struct says.
#include "sched/monitor.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "sched/runtime.h"

enum {
  SLICE_NS = 10000000,        // before a task is interrupted
  PREEMPT_LOOK_NS = 5000000,  // between two looks where tasks may be interrupted
  MIN_LOOK_NS = 1000000,
  MAX_LOOK_NS = 50000000,
  MAX_WORDLESS_NS = 400000000,  // that much longer than asked for: then the monitor itself reports
  LOOKS_BEFORE_SLEEP = 2,
  STACK_BYTES = 262144,  // weft_config.on_log may be called on it
};

struct wf_monitor {
  wf_runtime *rt;
  uv_thread_t thread;
  uv_mutex_t lock;  // of all that is not marked otherwise
  uv_cond_t wake;
  bool quit;
  bool asleep;  // until woken; pairs with worker->asleep
  // The thread that runs the worker's tasks, if one does.
  bool present;
  bool real_time;  // the VM's clock is the machine's
  uv_thread_t worker_thread;
  int tid;
  clockid_t cpu_clock;
  bool has_cpu_clock;
  char delay_file[64];  // where the kernel tells how long the thread has waited for a processor
  // The last look.
  uint64_t look_ns, cpu_ns, delay_ns;
  uint64_t slice, slice_ns;  // the slice, and when it was seen first
  const struct wf_task *task;
  uint64_t kept_ns, kept_cpu_ns;
  unsigned idle_looks;
  wf_hog hog;  // hog.slice 0: none
};

// rt->monitor is worker 0's business: only it starts one.
static wf_monitor *watcher_of(const wf_vm *vm) {
  return vm == &vm->rt->vm ? vm->rt->monitor : NULL;
}

void wf_monitor_lock(const wf_vm *vm) {
  wf_monitor *m = watcher_of(vm);
  if (m != NULL) uv_mutex_lock(&m->lock);
}

void wf_monitor_unlock(const wf_vm *vm) {
  wf_monitor *m = watcher_of(vm);
  if (m != NULL) uv_mutex_unlock(&m->lock);
}

// The processor time that the worker's thread has used; 0 where that cannot be known.
static uint64_t cpu_time(const wf_monitor *m) {
  struct timespec ts;
  if (!m->has_cpu_clock || clock_gettime(m->cpu_clock, &ts) != 0) return 0;
  return (uint64_t)ts.tv_sec * WF_NS_PER_S + (uint64_t)ts.tv_nsec;
}

// How long it was ready to run and got no processor; 0 where that cannot be known.
static uint64_t cpu_delay(const wf_monitor *m) {
  char text[64];
  int fd = m->delay_file[0] != '\0' ? open(m->delay_file, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  (void)close(fd);
  text[n > 0 ? n : 0] = '\0';
  const char *second = strchr(text, ' ');
  return second != NULL ? strtoull(second, NULL, 10) : 0;
}

// Whether anybody waits for the VM: other tasks, a deadline, I/O.
static bool others_wait(const wf_monitor *m, uint64_t now) {
  wf_vm *vm = &m->rt->vm;
  // The three pair with the worker's relaxed stores: each is right by itself or a look too early.
  if (wf_load_relaxed(&vm->runq.head) != NULL) return true;
  if (wf_load_relaxed(&vm->preempt.stopped.head) != NULL) return true;
  if (m->real_time && wf_load_relaxed(&vm->timers.next) <= now) return true;
  struct pollfd fd = {.fd = uv_backend_fd(&m->rt->worker.loop.uv), .events = POLLIN};
  return poll(&fd, 1, 0) > 0;
}

// Copies what the struct of the task says. False when the slice is over.
static bool peek(wf_monitor *m) {
  wf_vm *vm = &m->rt->vm;
  m->rt->hooks->peek_hog(vm, m->task, &m->hog);
  // What was read belongs to this task if the slice is still the same: pairs with run_one.
  return wf_load_acquire(&vm->current) == m->task &&
         wf_load_acquire(&vm->stats.switches) == m->slice;
}

// The slice is a hog's from now on; the worker will find that out when it ends.
static bool mark(wf_monitor *m) {
  m->hog = (wf_hog){.has_cpu = m->has_cpu_clock};
  if (!peek(m)) return false;
  m->hog.slice = m->slice;
  // Pairs with run_batch, which stops for it, and wf_monitor_settle; the rest is under the lock.
  wf_store_relaxed(&m->rt->vm.hog, true);
  return true;
}

// One look at the worker. True when m->hog is to be reported now, by the monitor.
static bool look(wf_monitor *m, uint64_t usual_ns) {
  wf_runtime *rt = m->rt;
  wf_vm *vm = &rt->vm;
  uint64_t now = wf_clock_machine_ns(), gap = now - m->look_ns;
  uint64_t cpu = cpu_time(m), cpu_gap = cpu - m->cpu_ns;
  uint64_t delay = rt->hog_ns != 0 ? cpu_delay(m) : 0, delay_gap = delay - m->delay_ns;
  m->look_ns = now;
  m->cpu_ns = cpu;
  m->delay_ns = delay;
  gap = gap > delay_gap ? gap - delay_gap : 0;
  if (gap > 2 * usual_ns) gap = 2 * usual_ns;
  // Pair with the release stores of run_one: with the task comes what its struct says.
  uint64_t slice = wf_load_acquire(&vm->stats.switches);
  const struct wf_task *task = wf_load_acquire(&vm->current);
  if (task == NULL || slice != m->slice || task != m->task) {
    m->slice = slice;
    m->task = task;
    m->slice_ns = now;
    m->kept_ns = m->kept_cpu_ns = 0;
    return false;
  }
  if (!others_wait(m, now)) return false;
  m->kept_ns += gap;
  m->kept_cpu_ns += cpu_gap;
  if (wf_load_relaxed(&vm->preempt.on) && now - m->slice_ns >= SLICE_NS) {
    wf_store_relaxed(&vm->preempt.nudge, slice);  // pairs with the load in preempt.c: hook
    // A thread that sits in a system call is not woken for it.
    if (cpu_gap != 0 || !m->has_cpu_clock) rt->hooks->nudge(vm, m->worker_thread);
  }
  if (rt->hog_ns == 0 || m->kept_ns < rt->hog_ns) return false;
  if (m->hog.slice != slice && !mark(m)) return false;
  m->hog.kept_ns = m->kept_ns;
  m->hog.cpu_ns = m->kept_cpu_ns;
  uint64_t patience = 4 * rt->hog_ns;
  if (patience > MAX_WORDLESS_NS) patience = MAX_WORDLESS_NS;
  if (m->hog.said || m->kept_ns < rt->hog_ns + patience || !peek(m)) return false;
  m->hog.said = true;
  return true;
}

static uint64_t look_distance(const wf_runtime *rt) {
  if (wf_load_relaxed(&rt->vm.preempt.on)) return PREEMPT_LOOK_NS;
  uint64_t ns = rt->hog_ns / 4;
  if (ns < MIN_LOOK_NS) ns = MIN_LOOK_NS;
  return ns < MAX_LOOK_NS ? ns : MAX_LOOK_NS;
}

// Whether there is something to watch. (preempt.on pairs with the relaxed store of preempt.c,
// which wakes the monitor afterwards.)
static bool is_idle(const wf_monitor *m) {
  const wf_runtime *rt = m->rt;
  if (!m->present || wf_load_seq_cst(&rt->worker.asleep)) return true;
  return rt->hog_ns == 0 && !wf_load_relaxed(&rt->vm.preempt.on);
}

// With nothing to watch for a while it sleeps until it is woken: an idle program stays idle.
static void sleep_while_idle(wf_monitor *m) {
  wf_store_seq_cst(&m->asleep, true);
  // Published, now look again: pairs with wf_monitor_wake.
  while (is_idle(m) && !m->quit && m->idle_looks > LOOKS_BEFORE_SLEEP) {
    uv_cond_wait(&m->wake, &m->lock);
  }
  wf_store_seq_cst(&m->asleep, false);
  m->idle_looks = 0;
}

static void watch(void *arg) {
  wf_monitor *m = arg;
  uv_mutex_lock(&m->lock);
  while (!m->quit) {
    m->idle_looks = is_idle(m) ? m->idle_looks + 1 : 0;
    if (m->idle_looks > LOOKS_BEFORE_SLEEP) sleep_while_idle(m);
    uint64_t distance = look_distance(m->rt);
    (void)uv_cond_timedwait(&m->wake, &m->lock, distance);
    if (m->quit || !m->present || !look(m, distance)) continue;
    wf_hog hog = m->hog;
    uv_mutex_unlock(&m->lock);
    m->rt->hooks->say_hog(m->rt, &hog);
    uv_mutex_lock(&m->lock);
  }
  uv_mutex_unlock(&m->lock);
}

// Signals are for the program's own threads.
static int start_thread(wf_monitor *m) {
  const uv_thread_options_t options = {.flags = UV_THREAD_HAS_STACK_SIZE,
                                       .stack_size = STACK_BYTES};
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  int rc = uv_thread_create_ex(&m->thread, &options, watch, m);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  return rc;
}

static wf_monitor *new_monitor(wf_runtime *rt) {
  wf_monitor *m = wf_mem_new(&rt->mem, sizeof *m);
  if (m == NULL) return NULL;
  m->rt = rt;
  bool has_lock = uv_mutex_init(&m->lock) == 0;
  bool has_wake = has_lock && uv_cond_init(&m->wake) == 0;
  if (has_wake && start_thread(m) == 0) return m;
  if (has_wake) uv_cond_destroy(&m->wake);
  if (has_lock) uv_mutex_destroy(&m->lock);
  wf_mem_free(&rt->mem, m, sizeof *m);
  return NULL;
}

bool wf_monitor_start(wf_runtime *rt) {
  if (rt->monitor == NULL) {
    rt->monitor = new_monitor(rt);
    if (rt->monitor == NULL) return false;
  }
  if (rt->vm.busy) wf_monitor_enter(&rt->worker);
  return true;
}

void wf_monitor_stop(wf_runtime *rt) {
  wf_monitor *m = rt->monitor;
  if (m == NULL) return;
  uv_mutex_lock(&m->lock);
  m->quit = true;
  uv_cond_signal(&m->wake);
  uv_mutex_unlock(&m->lock);
  int rc = uv_thread_join(&m->thread);
  WF_CHECK(rc == 0);
  uv_cond_destroy(&m->wake);
  uv_mutex_destroy(&m->lock);
  wf_mem_free(&rt->mem, m, sizeof *m);
  rt->monitor = NULL;
}

// Finds out how to ask about the calling thread, unless it is the one of the last time. (Its
// number tells: another thread may have got the same pthread_t.)
static void know_thread(wf_monitor *m) {
  m->worker_thread = uv_thread_self();
#ifdef __linux__
  int tid = (int)syscall(SYS_gettid);
  if (tid == m->tid) return;
  m->tid = tid;
  m->has_cpu_clock = pthread_getcpuclockid(m->worker_thread, &m->cpu_clock) == 0;
  (void)snprintf(m->delay_file, sizeof m->delay_file, "/proc/self/task/%d/schedstat", tid);
#endif
}

void wf_monitor_enter(wf_worker *worker) {
  wf_runtime *rt = worker->rt;
  if (rt->monitor == NULL && rt->hog_ns != 0 && (rt->monitor = new_monitor(rt)) == NULL) {
    rt->hog_ns = 0;
    rt->log(rt->log_ud,
            "weft: no long slice is reported: no thread can be had to watch the time\n");
  }
  wf_monitor *m = rt->monitor;
  if (m == NULL) return;
  uv_mutex_lock(&m->lock);
  m->present = true;
  m->real_time = !worker->vm->clock.is_virtual;
  m->slice = 0;  // none: they count from 1
  know_thread(m);
  if (m->asleep) uv_cond_signal(&m->wake);
  uv_mutex_unlock(&m->lock);
}

void wf_monitor_leave(wf_worker *worker) {
  wf_monitor *m = worker->rt->monitor;
  if (m == NULL) return;
  wf_monitor_settle(worker);
  uv_mutex_lock(&m->lock);
  m->present = false;
  uv_mutex_unlock(&m->lock);
}

void wf_monitor_sleep(wf_worker *worker) {
  if (worker->rt->monitor == NULL) return;
  wf_monitor_settle(worker);
  wf_store_seq_cst(&worker->asleep, true);
}

void wf_monitor_wake(wf_worker *worker) {
  wf_monitor *m = worker->rt->monitor;
  if (m == NULL) return;
  wf_store_seq_cst(&worker->asleep, false);
  // Published, now look: pairs with sleep_while_idle.
  if (!wf_load_seq_cst(&m->asleep)) return;
  uv_mutex_lock(&m->lock);
  uv_cond_signal(&m->wake);
  uv_mutex_unlock(&m->lock);
}

void wf_monitor_note_place(wf_vm *vm, const char *place, int line) {
  wf_monitor *m = watcher_of(vm);
  if (m == NULL) return;
  uv_mutex_lock(&m->lock);
  if (m->hog.slice == vm->stats.switches) {
    (void)snprintf(m->hog.place, sizeof m->hog.place, "%s:%d", place, line);
  }
  uv_mutex_unlock(&m->lock);
}

void wf_monitor_settle(wf_worker *worker) {
  wf_monitor *m = worker->rt->monitor;
  // Pairs with the store in mark: seen now or after the next slice.
  if (m == NULL || !wf_load_relaxed(&worker->vm->hog)) return;
  uv_mutex_lock(&m->lock);
  wf_hog hog = m->hog;
  m->hog.slice = 0;
  // What has gone by since the last look is a part of it.
  uint64_t since = wf_clock_machine_ns() - m->look_ns, most = 2 * look_distance(worker->rt);
  hog.kept_ns += since < most ? since : most;
  wf_store_relaxed(&worker->vm->hog, false);
  uv_mutex_unlock(&m->lock);
  if (hog.slice != 0) worker->rt->hooks->report_hog(worker->vm, &hog);
}
