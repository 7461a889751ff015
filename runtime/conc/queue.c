// SPDX-License-Identifier: MIT
#include "conc/queue.h"

#include "task/mark.h"
#include "task/park.h"

static void visit(wf_obj *obj, wf_mark *m) {
  const wf_link *waiters = &((wf_queue *)obj)->waiters;
  for (wf_link *l = waiters->next; l != waiters; l = l->next) {
    wf_mark_task(m, wf_container_of(l, wf_waiter, link)->task);
  }
}

static const wf_kind kind = {.name = "wait queue", .size = sizeof(wf_queue), .visit = visit};

wf_queue *wf_queue_new(wf_vm *vm, lua_State *L) {
  wf_queue *queue = (wf_queue *)wf_obj_new(vm, L, &kind, &wf_tag_queue);
  wf_list_init(&queue->waiters);
  return queue;
}

uint32_t wf_queue_wake(wf_queue *queue, uint32_t max) {
  uint32_t woken = 0;
  wf_obj_ref(&queue->obj);  // the last waiter's claim may let go of it
  for (; woken < max && !wf_list_empty(&queue->waiters); woken++) {
    wf_task *task = wf_container_of(queue->waiters.next, wf_waiter, link)->task;
    wf_vm *vm = task->vm;
    if (task->reason == WF_WAIT_MUTEX) {
      vm->stats.lock_wait_ns += wf_clock_now(&vm->clock) - task->since_ns;
    }
    wf_claim(task);
    lua_pushboolean(task->at, 1);
    wf_ready(task, 1);
  }
  wf_obj_unref(&queue->obj);
  return woken;
}
