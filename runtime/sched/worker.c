// SPDX-License-Identifier: MIT
// One round: a batch of tasks, then a look at the clock for timers that are due, then, at most
// every POLL_NS, at the event loop (a look at the clock costs 25 ns, at an empty loop 600, a
// switch 27), so that neither a stream of ready tasks nor a busy loop starves the other.
#include "sched/worker.h"

#include "base/check.h"
#include "sched/runtime.h"
#include "sched/turn.h"
#include "sched/workers.h"

enum { POLL_NS = 100000, LEFT_NS = 10000000, TURN_NS = 10000000 };

static void fire_timers(wf_vm *vm) {
  vm->now_ns = wf_clock_now(&vm->clock);
  vm->turn_ns = vm->clock.is_virtual ? wf_clock_coarse_ns() : vm->now_ns;
  if (wf_timers_next(&vm->timers) <= vm->now_ns) {
    vm->stats.timers += wf_timers_fire(&vm->timers, vm->now_ns);
  }
}

void wf_worker_fire_timers(wf_worker *worker) {
  if (WF_LIKELY(worker->vm != NULL)) fire_timers(worker->vm);
  if (wf_worker_has_two(worker)) fire_timers(worker->isolated);
}

uint64_t wf_worker_next_timer(const wf_worker *worker) {
  uint64_t next = worker->vm != NULL ? wf_timers_next(&worker->vm->timers) : WF_NEVER;
  if (!wf_worker_has_two(worker)) return next;
  uint64_t other = wf_timers_next(&worker->isolated->timers);
  return other < next ? other : next;
}

static void poll_loop(wf_worker *worker, const wf_vm *vm) {
  if (!wf_loop_pending(&worker->loop)) return;
  uint64_t now = vm->clock.is_virtual ? wf_clock_machine_ns() : vm->now_ns;
  // Whoever it has woken to read comes first, and would be told of again (io/intake.h).
  if (now - worker->polled_ns < (vm->blocks.left != 0 ? LEFT_NS : POLL_NS)) return;
  worker->polled_ns = now;
  wf_loop_turn(&worker->loop);
}

// Interrupted tasks go on when nobody else does, or when the others have had as long a turn as
// theirs: one at a time, so that those it has kept waiting are not behind all of its kind.
bool wf_worker_has_ready(wf_vm *vm) {
  if (WF_UNLIKELY(vm->preempt.stopped.count != 0) &&
      (vm->runq.count == 0 || wf_clock_coarse_ns() - vm->preempt.stopped_ns >= TURN_NS)) {
    return wf_vm_readmit(vm);
  }
  return vm->runq.count != 0;
}

void wf_worker_note_bytes(wf_worker *worker, const wf_vm *vm) {
  uint64_t kb = (uint64_t)lua_gc(vm->L, LUA_GCCOUNT, 0);
  uint64_t bytes = kb * 1024 + (uint64_t)lua_gc(vm->L, LUA_GCCOUNTB, 0);
  // Both pair with the loads of wf_workers_bytes: numbers, nothing else.
  wf_u64_store(vm == worker->isolated ? &worker->bytes : &worker->main_bytes, bytes, WF_RELAXED);
}

void wf_worker_round(wf_worker *worker, wf_vm *vm, uint32_t max) {
  worker->rt->hooks->run_batch(vm, max);
  wf_monitor_settle(vm);
  if (vm == worker->isolated) wf_u64_store(&worker->live, vm->stats.tasks, WF_RELAXED);
  wf_worker_fire_timers(worker);
  poll_loop(worker, vm);
}

bool wf_worker_jump(wf_worker *worker) {
  if (worker->loop.jobs != 0) return false;
  // Game time is the main VM's alone.
  if (worker->rt->is_virtual && worker->rt->workers != NULL) return wf_turn_jump(worker);
  wf_vm *vm = worker->vm;
  uint64_t next = wf_timers_next(&vm->timers);
  if (!vm->clock.is_virtual || next == WF_NEVER) return false;
  wf_clock_advance_to(&vm->clock, next);
  wf_worker_fire_timers(worker);
  return true;
}

// Nothing is ready, and there are no other workers: waits for what comes first. False when nothing
// can come.
static bool wait_for_more(wf_worker *worker) {
  wf_vm *vm = worker->vm;
  worker->rt->hooks->settle(vm);
  if (wf_worker_has_ready(vm)) return true;
  bool pending = wf_loop_pending(&worker->loop);
  uint64_t next = wf_timers_next(&vm->timers);
  if (!pending && next == WF_NEVER) return false;
  // A virtual clock stands still while a thread makes a call for a task: that takes no time.
  if (vm->clock.is_virtual && next != WF_NEVER && worker->loop.jobs == 0) {
    if (pending) wf_loop_turn(&worker->loop);
    if (!wf_worker_has_ready(vm)) (void)wf_worker_jump(worker);
    return true;
  }
  uint64_t now = wf_clock_now(&vm->clock);
  uint64_t timeout = next > now ? next - now : 0;
  if (next == WF_NEVER || vm->clock.is_virtual) timeout = WF_NEVER;
  wf_monitor_sleep(worker);
  wf_loop_wait(&worker->loop, timeout);
  wf_monitor_wake(worker);
  worker->polled_ns = now;
  wf_worker_fire_timers(worker);
  return true;
}

// The release pairs with the acquire in see_interrupt: what the caller has done before is seen by
// the hook. The flag comes before the wake, so that whoever is woken finds it.
void wf_worker_interrupt(wf_worker *worker) {
  atomic_store_explicit(&worker->vm->interrupted, true, memory_order_release);
  wf_loop_wake(&worker->loop);
}

void wf_worker_post(wf_worker *to, wf_mail *mail) {
  if (wf_inbox_push(&to->inbox, &mail->node)) wf_idle_wake(&to->rt->workers->idle, to->index);
}

bool wf_worker_open_mail(wf_worker *worker) {
  wf_inbox_node *node = wf_inbox_take(&worker->inbox);
  bool any = node != NULL;
  while (node != NULL) {
    wf_mail *mail = wf_container_of(node, wf_mail, node);
    node = node->next;
    mail->open(mail);
  }
  return any;
}

static void see_interrupt(wf_worker *worker) {
  wf_vm *vm = worker->vm;
  if (WF_LIKELY(!atomic_load_explicit(&vm->interrupted, memory_order_relaxed))) return;
  wf_loop_take_wakes(&worker->loop);
  if (!atomic_exchange_explicit(&vm->interrupted, false, memory_order_acquire)) return;
  worker->rt->hooks->interrupt(worker->rt);
}

wf_outcome wf_worker_run(wf_worker *worker) {
  wf_vm *vm = worker->vm;
  worker->jumps = true;
  worker->brief = false;
  wf_worker_fire_timers(worker);
  while (!vm->stop) {
    see_interrupt(worker);
    if (wf_worker_open_mail(worker)) continue;
    if (wf_worker_has_ready(vm)) {
      if (WF_UNLIKELY(worker->searching)) wf_turn_found(worker);
      wf_worker_round(worker, vm, WF_BATCH);
      if (WF_UNLIKELY(worker->rt->workers != NULL)) wf_turn_share(worker);
    } else if (worker->rt->workers != NULL ? !wf_turn(worker) : !wait_for_more(worker)) {
      return WF_ASLEEP;
    }
  }
  if (worker->searching) wf_turn_found(worker);
  return WF_STOPPED;
}

wf_outcome wf_worker_step(wf_worker *worker, uint64_t budget_ns) {
  wf_vm *vm = worker->vm;
  uint64_t start = wf_clock_machine_ns();
  worker->jumps = false;
  worker->brief = budget_ns != WF_NEVER;
  wf_worker_fire_timers(worker);
  wf_loop_turn(&worker->loop);
  while (!vm->stop) {
    see_interrupt(worker);
    if (wf_worker_open_mail(worker)) continue;
    // One task at a time under a budget: a slice may be long.
    uint32_t max = budget_ns == WF_NEVER ? WF_BATCH : 1;
    if (wf_worker_has_ready(vm)) {
      wf_worker_round(worker, vm, max);
    } else if (worker->rt->workers != NULL) {
      if (!wf_turn_work(worker, max)) return WF_IDLE;
    } else {
      bool dead = !wf_loop_pending(&worker->loop) && wf_timers_next(&vm->timers) == WF_NEVER;
      return dead ? WF_ASLEEP : WF_IDLE;
    }
    if (budget_ns != WF_NEVER && wf_clock_machine_ns() - start >= budget_ns) return WF_BUDGET;
  }
  return WF_STOPPED;
}
