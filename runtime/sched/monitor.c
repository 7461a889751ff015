// SPDX-License-Identifier: MIT
// The monitor looks at each worker a few times in the span that it is to notice. Two looks that
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
  bool asleep;      // until woken; pairs with worker->asleep
  wf_link watches;  // of wf_watched
  unsigned idle_looks;
};

void wf_monitor_lock(const wf_vm *vm) {
  wf_monitor *m = vm->worker->watch.monitor;
  if (m != NULL) uv_mutex_lock(&m->lock);
}

void wf_monitor_unlock(const wf_vm *vm) {
  wf_monitor *m = vm->worker->watch.monitor;
  if (m != NULL) uv_mutex_unlock(&m->lock);
}

static wf_watched *watch_of(wf_link *link) { return wf_container_of(link, wf_watched, link); }

// The processor time that the worker's thread has used; 0 where that cannot be known.
static uint64_t cpu_time(const wf_watched *w) {
  struct timespec ts;
  if (!w->has_cpu_clock || clock_gettime(w->cpu_clock, &ts) != 0) return 0;
  return (uint64_t)ts.tv_sec * WF_NS_PER_S + (uint64_t)ts.tv_nsec;
}

// How long it was ready to run and got no processor; 0 where that cannot be known.
static uint64_t cpu_delay(const wf_watched *w) {
  char text[64];
  int fd = w->delay_file[0] != '\0' ? open(w->delay_file, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  (void)close(fd);
  text[n > 0 ? n : 0] = '\0';
  const char *second = strchr(text, ' ');
  return second != NULL ? strtoull(second, NULL, 10) : 0;
}

// The three pair with the worker's relaxed stores: each is right by itself or a look too early.
static bool has_waiting(const wf_vm *vm, uint64_t now) {
  if (vm == NULL) return false;
  if (wf_load_relaxed(&vm->runq.head) != NULL) return true;
  if (wf_load_relaxed(&vm->preempt.stopped.head) != NULL) return true;
  return !vm->clock.is_virtual && wf_load_relaxed(&vm->timers.next) <= now;
}

// Whether anybody waits for the worker: tasks of its VMs, a deadline, mail, I/O.
static bool others_wait(const wf_watched *w, uint64_t now) {
  const wf_worker *worker = w->worker;
  if (has_waiting(worker->vm, now) || has_waiting(worker->isolated, now)) return true;
  if (!wf_inbox_empty(&worker->inbox)) return true;
  struct pollfd fd = {.fd = uv_backend_fd(&worker->loop.uv), .events = POLLIN};
  return poll(&fd, 1, 0) > 0;
}

// The VM of the worker whose task runs, and the slice. A VM comes and goes under the lock.
static wf_vm *running_vm(const wf_watched *w, const struct wf_task **task, uint64_t *slice) {
  wf_vm *vms[2] = {w->worker->vm, w->worker->isolated};
  for (int i = 0; i < 2; i++) {
    if (vms[i] == NULL) continue;
    // Pair with the release stores of run_one: with the task comes what its struct says.
    *slice = wf_load_acquire(&vms[i]->stats.switches);
    *task = wf_load_acquire(&vms[i]->current);
    if (*task != NULL) return vms[i];
  }
  return NULL;
}

// Copies what the struct of the task says. False when the slice is over.
static bool peek(wf_watched *w) {
  wf_vm *vm = w->vm;
  vm->rt->hooks->peek_hog(vm, w->task, &w->hog);
  // What was read belongs to this task if the slice is still the same: pairs with run_one.
  return wf_load_acquire(&vm->current) == w->task &&
         wf_load_acquire(&vm->stats.switches) == w->slice;
}

// The slice is a hog's from now on; the worker will find that out when it ends.
static bool mark(wf_watched *w) {
  const wf_worker *worker = w->worker;
  w->hog =
      (wf_hog){.has_cpu = w->has_cpu_clock, .of_guest = worker->index == 0 && w->vm != worker->vm};
  if (!peek(w)) return false;
  w->hog.slice = w->slice;
  w->hog_vm = w->vm;
  // Pairs with run_batch, which stops for it, and wf_monitor_settle; the rest is under the lock.
  wf_store_relaxed(&w->vm->hog, true);
  return true;
}

// Whether the slice goes on that was seen at the last look. If not, it begins with this one.
static bool goes_on(wf_watched *w, uint64_t now) {
  const struct wf_task *task = NULL;
  uint64_t slice = 0;
  wf_vm *vm = running_vm(w, &task, &slice);
  if (vm != NULL && vm == w->vm && slice == w->slice && task == w->task) return true;
  w->vm = vm;
  w->slice = slice;
  w->task = task;
  w->slice_ns = w->look_ns = now;
  w->kept_ns = w->kept_cpu_ns = 0;
  if (vm == NULL) return false;
  w->cpu_ns = cpu_time(w);
  w->delay_ns = vm->rt->hog_ns != 0 ? cpu_delay(w) : 0;
  return false;
}

// A task that may be interrupted is. Of other VMs than the main one this is the hook's business.
static void nudge(const wf_watched *w, uint64_t now, uint64_t cpu_gap) {
  wf_vm *vm = w->vm;
  if (vm != &vm->rt->vm || !wf_load_relaxed(&vm->preempt.on)) return;
  if (now - w->slice_ns < SLICE_NS) return;
  wf_store_relaxed(&vm->preempt.nudge, w->slice);  // pairs with the load in preempt.c: hook
  // A thread that sits in a system call is not woken for it.
  if (cpu_gap != 0 || !w->has_cpu_clock) vm->rt->hooks->nudge(vm, w->thread);
}

// One look at a worker. True when w->hog is to be reported now, by the monitor.
static bool look(wf_watched *w, uint64_t usual_ns) {
  const wf_runtime *rt = w->worker->rt;
  uint64_t now = wf_clock_machine_ns();
  if (!goes_on(w, now)) return false;
  uint64_t gap = now - w->look_ns;
  uint64_t cpu = cpu_time(w), cpu_gap = cpu - w->cpu_ns;
  uint64_t delay = rt->hog_ns != 0 ? cpu_delay(w) : 0, delay_gap = delay - w->delay_ns;
  w->look_ns = now;
  w->cpu_ns = cpu;
  w->delay_ns = delay;
  gap = gap > delay_gap ? gap - delay_gap : 0;
  if (gap > 2 * usual_ns) gap = 2 * usual_ns;
  if (!others_wait(w, now)) return false;
  w->kept_ns += gap;
  w->kept_cpu_ns += cpu_gap;
  nudge(w, now, cpu_gap);
  if (rt->hog_ns == 0 || w->kept_ns < rt->hog_ns) return false;
  bool marked = w->hog.slice == w->slice && w->hog_vm == w->vm;
  if (!marked && !mark(w)) return false;
  w->hog.kept_ns = w->kept_ns;
  w->hog.cpu_ns = w->kept_cpu_ns;
  uint64_t patience = 4 * rt->hog_ns;
  if (patience > MAX_WORDLESS_NS) patience = MAX_WORDLESS_NS;
  if (w->hog.said || w->kept_ns < rt->hog_ns + patience || !peek(w)) return false;
  w->hog.said = true;
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
  if (rt->hog_ns == 0 && !wf_load_relaxed(&rt->vm.preempt.on)) return true;
  for (wf_link *link = m->watches.next; link != &m->watches; link = link->next) {
    const wf_watched *w = watch_of(link);
    if (w->present && !wf_load_seq_cst(&w->worker->asleep)) return false;
  }
  return true;
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

// The next one of which something is to be said, or NULL.
static wf_watched *to_be_said(wf_monitor *m) {
  for (wf_link *link = m->watches.next; link != &m->watches; link = link->next) {
    if (watch_of(link)->to_say) return watch_of(link);
  }
  return NULL;
}

static void look_at_all(wf_monitor *m, uint64_t distance) {
  wf_watched *w;
  for (wf_link *link = m->watches.next; link != &m->watches; link = link->next) {
    w = watch_of(link);
    w->to_say = w->present && look(w, distance);
  }
  while ((w = to_be_said(m)) != NULL) {
    wf_hog hog = w->hog;
    w->to_say = false;
    uv_mutex_unlock(&m->lock);
    m->rt->hooks->say_hog(m->rt, &hog);
    uv_mutex_lock(&m->lock);
  }
}

static void watch(void *arg) {
  wf_monitor *m = arg;
  uv_mutex_lock(&m->lock);
  while (!m->quit) {
    m->idle_looks = is_idle(m) ? m->idle_looks + 1 : 0;
    if (m->idle_looks > LOOKS_BEFORE_SLEEP) sleep_while_idle(m);
    uint64_t distance = look_distance(m->rt);
    (void)uv_cond_timedwait(&m->wake, &m->lock, distance);
    if (!m->quit) look_at_all(m, distance);
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
  wf_list_init(&m->watches);
  bool has_lock = uv_mutex_init(&m->lock) == 0;
  bool has_wake = has_lock && uv_cond_init(&m->wake) == 0;
  if (has_wake && start_thread(m) == 0) return m;
  if (has_wake) uv_cond_destroy(&m->wake);
  if (has_lock) uv_mutex_destroy(&m->lock);
  wf_mem_free(&rt->mem, m, sizeof *m);
  return NULL;
}

static void add(wf_monitor *m, wf_worker *worker) {
  wf_watched *w = &worker->watch;
  w->worker = worker;
  w->monitor = m;
  uv_mutex_lock(&m->lock);
  wf_list_push(&m->watches, &w->link);
  uv_mutex_unlock(&m->lock);
}

bool wf_monitor_start(wf_runtime *rt) {
  if (rt->monitor == NULL) {
    rt->monitor = new_monitor(rt);
    if (rt->monitor == NULL) return false;
    add(rt->monitor, &rt->worker);
  }
  if (rt->vm.busy) wf_monitor_enter(&rt->worker);
  return true;
}

void wf_monitor_want(wf_runtime *rt) {
  if (rt->hog_ns == 0 || rt->monitor != NULL || wf_monitor_start(rt)) return;
  rt->hog_ns = 0;
  rt->log(rt->log_ud, "weft: no long slice is reported: no thread can be had to watch the time\n");
}

void wf_monitor_add(wf_worker *worker) {
  const wf_runtime *rt = worker->rt;
  if (rt->hog_ns != 0 && rt->monitor != NULL) add(rt->monitor, worker);
}

void wf_monitor_stop(wf_runtime *rt, bool stuck) {
  wf_monitor *m = rt->monitor;
  if (m == NULL) return;
  uv_mutex_lock(&m->lock);
  m->quit = true;
  uv_cond_signal(&m->wake);
  uv_mutex_unlock(&m->lock);
  int rc = uv_thread_join(&m->thread);
  WF_CHECK(rc == 0);
  if (stuck) return;
  for (wf_link *link = m->watches.next; link != &m->watches; link = link->next) {
    watch_of(link)->monitor = NULL;
  }
  uv_cond_destroy(&m->wake);
  uv_mutex_destroy(&m->lock);
  wf_mem_free(&rt->mem, m, sizeof *m);
  rt->monitor = NULL;
}

// Finds out how to ask about the calling thread, unless it is the one of the last time. (Its
// number tells: another thread may have got the same pthread_t.)
static void know_thread(wf_watched *w) {
  w->thread = uv_thread_self();
#ifdef __linux__
  int tid = (int)syscall(SYS_gettid);
  if (tid == w->tid) return;
  w->tid = tid;
  w->has_cpu_clock = pthread_getcpuclockid(w->thread, &w->cpu_clock) == 0;
  (void)snprintf(w->delay_file, sizeof w->delay_file, "/proc/self/task/%d/schedstat", tid);
#endif
}

void wf_monitor_enter(wf_worker *worker) {
  wf_watched *w = &worker->watch;
  wf_monitor *m = w->monitor;
  if (m == NULL) return;
  uv_mutex_lock(&m->lock);
  w->present = true;
  w->vm = NULL;
  know_thread(w);
  if (m->asleep) uv_cond_signal(&m->wake);
  uv_mutex_unlock(&m->lock);
}

static void settle_both(wf_worker *worker) {
  if (worker->vm != NULL) wf_monitor_settle(worker->vm);
  if (wf_worker_has_two(worker)) wf_monitor_settle(worker->isolated);
}

void wf_monitor_leave(wf_worker *worker) {
  wf_monitor *m = worker->watch.monitor;
  if (m == NULL) return;
  settle_both(worker);
  uv_mutex_lock(&m->lock);
  worker->watch.present = false;
  uv_mutex_unlock(&m->lock);
}

void wf_monitor_sleep(wf_worker *worker) {
  if (worker->watch.monitor == NULL) return;
  settle_both(worker);
  wf_store_seq_cst(&worker->asleep, true);
}

void wf_monitor_wake(wf_worker *worker) {
  wf_monitor *m = worker->watch.monitor;
  if (m == NULL) return;
  wf_store_seq_cst(&worker->asleep, false);
  // Published, now look: pairs with sleep_while_idle.
  if (!wf_load_seq_cst(&m->asleep)) return;
  uv_mutex_lock(&m->lock);
  uv_cond_signal(&m->wake);
  uv_mutex_unlock(&m->lock);
}

void wf_monitor_note_place(wf_vm *vm, const char *place, int line) {
  wf_watched *w = &vm->worker->watch;
  if (w->monitor == NULL) return;
  uv_mutex_lock(&w->monitor->lock);
  if (w->hog_vm == vm && w->hog.slice == vm->stats.switches) {
    (void)snprintf(w->hog.place, sizeof w->hog.place, "%s:%d", place, line);
  }
  uv_mutex_unlock(&w->monitor->lock);
}

// Only the monitor sets the flag, and only for a VM that is running: the watch has its slice.
void wf_monitor_settle(wf_vm *vm) {
  // Pairs with the store in mark: seen now or after the next slice.
  if (WF_LIKELY(!wf_load_relaxed(&vm->hog))) return;
  wf_watched *w = &vm->worker->watch;
  wf_monitor *m = w->monitor;
  if (m == NULL) return;
  uv_mutex_lock(&m->lock);
  wf_hog hog = {0};
  if (w->hog_vm == vm) {
    hog = w->hog;
    w->hog.slice = 0;
  }
  // What has gone by since the last look is a part of it.
  uint64_t since = wf_clock_machine_ns() - w->look_ns, most = 2 * look_distance(vm->rt);
  hog.kept_ns += since < most ? since : most;
  wf_store_relaxed(&vm->hog, false);
  bool over = m->quit;
  uv_mutex_unlock(&m->lock);
  if (hog.slice != 0 && !over) vm->rt->hooks->report_hog(vm, &hog);
}
