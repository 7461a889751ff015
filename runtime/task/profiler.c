// SPDX-License-Identifier: MIT
#include "task/profiler.h"

#include <luajit.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>

#include "base/check.h"
#include "sched/runtime.h"
#include "task/preempt.h"

// The VM that has the profiler. Written under `turn`; to NULL under the VM's monitor's lock too,
// so that wf_profiler_ask sends no signal to a thread that does not expect one any more.
static _Atomic(wf_vm *) owner;

// Held while SIGPROF changes hands. Rank: below a monitor's lock.
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

// Both are the owner's: LuaJIT's handler, and what SIGPROF did before.
static void (*luajit_handler)(int);
static struct sigaction before;

// Passes the signal on to LuaJIT where it means something: on the thread that runs the owner's
// tasks (it may have come from elsewhere, to any thread), and not while weft changes the hook.
static void on_signal(int number) {
  wf_vm *vm = wf_vm_here;
  if (vm == NULL || vm != atomic_load_explicit(&owner, memory_order_relaxed)) return;
  if (vm->preempt.hold || !wf_preempt_has_hook(vm)) return;
  vm->preempt.asked = vm->preempt.asked + 1;
  luajit_handler(number);
}

static void on_sample(void *data, lua_State *L, int samples, int vmstate) {
  (void)samples;
  (void)vmstate;
  wf_vm *vm = data;
  vm->preempt.answered = vm->preempt.asked;
  wf_preempt_look_now(vm, L);
}

static void block(bool on) {
  sigset_t set;
  (void)sigemptyset(&set);
  (void)sigaddset(&set, SIGPROF);
  (void)pthread_sigmask(on ? SIG_BLOCK : SIG_UNBLOCK, &set, NULL);
}

// Nobody else changes what SIGPROF does, and none comes to this thread.
static void enter(void) {
  (void)pthread_mutex_lock(&turn);
  block(true);
}

static void leave(void) {
  block(false);
  (void)pthread_mutex_unlock(&turn);
}

static bool handler_is(void (*handler)(int)) {
  struct sigaction now;
  (void)sigaction(SIGPROF, NULL, &now);
  return (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == handler;
}

// Starts it with our handler in front of LuaJIT's; false when LuaJIT does not. When LuaJIT stops
// it, now or in lua_close, it puts back the handler that it has found: to ignore the signal, as
// one that is still under way must not end the process.
static bool start(wf_vm *vm, lua_State *L) {
  struct sigaction action = {.sa_handler = SIG_IGN};
  (void)sigaction(SIGPROF, &action, NULL);
  luaJIT_profile_start(L, "li1000000", on_sample, vm);
  (void)setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL);
  (void)sigaction(SIGPROF, NULL, &action);
  if (action.sa_handler == SIG_IGN) return false;
  luajit_handler = action.sa_handler;
  // As LuaJIT's: system calls go on. SA_ONSTACK for hosts whose threads have small stacks.
  action = (struct sigaction){.sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
  (void)sigaction(SIGPROF, &action, NULL);
  vm->preempt.answered = vm->preempt.asked;
  return true;
}

static bool signal_is_free(void) { return handler_is(SIG_DFL) || handler_is(SIG_IGN); }

static void disown(wf_vm *vm) {
  wf_monitor_lock(vm);
  atomic_store(&owner, NULL);
  wf_monitor_unlock(vm);
}

void wf_profiler_claim(wf_vm *vm, lua_State *L) {
  enter();
  const wf_vm *has = atomic_load(&owner);
  // If the VM has it and the signal is free, jit.profile in a script has taken the profiler over
  // and has let go of it since.
#ifdef WEFT_TORTURE
  if (has == vm && handler_is(on_signal)) luaJIT_profile_stop(L);
#endif
  if ((has == NULL || has == vm) && signal_is_free()) {
    if (has == NULL) (void)sigaction(SIGPROF, NULL, &before);
    if (start(vm, L)) {
      atomic_store(&owner, vm);
    } else {
      (void)sigaction(SIGPROF, &before, NULL);
      disown(vm);
    }
  }
  leave();
}

void wf_profiler_release(wf_vm *vm) {
  if (atomic_load(&owner) != vm) return;
  enter();
  disown(vm);
  // lua_close has stopped it already, when this comes from a finaliser.
  if (handler_is(on_signal)) luaJIT_profile_stop(vm->L);
  if (handler_is(SIG_IGN)) (void)sigaction(SIGPROF, &before, NULL);
  leave();
}

void wf_profiler_ask(const wf_vm *vm, pthread_t thread) {
  if (atomic_load(&owner) == vm) (void)pthread_kill(thread, SIGPROF);
}

static void restart(wf_vm *vm, lua_State *L) {
  enter();
  if (handler_is(on_signal)) {
    luaJIT_profile_stop(L);
    if (!start(vm, L)) disown(vm);
  }
  leave();
}

// The hook is running, so the table is not the one with LuaJIT's answer to a signal: an unanswered
// one was dropped (it came in a finaliser, say) or has left the flag set. First the table is made
// again and the signal repeated; if that is not answered by the next time, the profiler starts
// anew, which flushes the traces. (That must not happen while a trace is recorded: LuaJIT looks
// for the one that it was stitched to. None is: the start and the end of a recording make the
// table again too, and then there would have been an answer.)
void wf_profiler_mend(wf_vm *vm, lua_State *L) {
  wf_preempt *p = &vm->preempt;
  if (WF_LIKELY(p->asked == p->answered) || atomic_load(&owner) != vm) return;
  if (p->doubtful == p->asked) {
    restart(vm, L);
    p->answered = p->asked;
  } else {
    p->doubtful = p->asked;
    wf_preempt_set_count(vm, L);
    p->hold = 1;
    luajit_handler(SIGPROF);
    p->hold = 0;
  }
}
