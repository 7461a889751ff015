// SPDX-License-Identifier: MIT
#include "conc/queue.h"

#include "task/mark.h"
#include "task/park.h"
#include "task/remote.h"

void wf_queue_visit(wf_obj *obj, wf_mark *m) {
  const wf_link *waiters = &((wf_queue *)obj)->waiters;
  for (wf_link *l = waiters->next; l != waiters; l = l->next) {
    wf_mark_task(m, wf_container_of(l, wf_waiter, link)->task);
  }
}

static const wf_kind kind = {
    .name = "wait queue", .size = sizeof(wf_queue), .visit = wf_queue_visit};

wf_queue *wf_queue_new(wf_vm *vm, lua_State *L) {
  wf_queue *queue = (wf_queue *)wf_obj_new(vm, L, &kind, &wf_tag_queue);
  wf_queue_init(queue);
  return queue;
}

// Takes the first out of the queue and wakes it; false when another thread has claimed its wait,
// for a context that has ended.
static bool wake_first(wf_queue *queue) {
  wf_waiter *waiter = wf_container_of(queue->waiters.next, wf_waiter, link);
  wf_task *task = waiter->task;
  wf_vm *vm = task->vm;
  if (WF_UNLIKELY(!wf_remote_win(task))) {
    wf_list_remove(&waiter->link);
    return false;
  }
  if (wf_queue_is_lock(task->reason)) {
    vm->stats.lock_wait_ns += wf_clock_now(&vm->clock) - task->since_ns;
  }
  if (task->reason == WF_WAIT_MUTEX) {  // it has it now; its site lies on top of its stack
    queue->holder = task->id;
    queue->site = (uint32_t)lua_tointeger(task->at, -1);
    queue->is_first = false;
  }
  wf_claim(task);
  lua_pushboolean(task->at, 1);
  wf_ready(task, 1);
  return true;
}

uint32_t wf_queue_wake(wf_queue *queue, uint32_t max) {
  uint32_t woken = 0;
  wf_obj_ref(&queue->obj);  // the last waiter's claim may let go of it
  while (woken < max && !wf_list_empty(&queue->waiters)) woken += wake_first(queue);
  wf_obj_unref(&queue->obj);
  return woken;
}

double wf_queue_grant(wf_queue *queue, double units) {
  wf_obj_ref(&queue->obj);
  while (!wf_list_empty(&queue->waiters)) {
    const wf_task *first = wf_container_of(queue->waiters.next, wf_waiter, link)->task;
    double wanted = lua_tonumber(first->at, -1);
    if (wanted > units) break;
    if (wake_first(queue)) units -= wanted;
  }
  wf_obj_unref(&queue->obj);
  return units;
}
