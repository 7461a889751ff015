// SPDX-License-Identifier: MIT
#include "task/remote.h"

#include "base/check.h"
#include "sched/runtime.h"
#include "task/park.h"

wf_remote_place *wf_remote_place_new(wf_vm *vm, wf_core *core, wf_op op, int index) {
  wf_remote_place *place = vm->free_places;
  if (place == NULL) {
    place = wf_mem_new(&vm->rt->mem, sizeof *place);
    if (place == NULL) return NULL;
  } else {
    vm->free_places = place->next;
    place->next = NULL;
  }
  wf_core_ref(core);
  place->core = core;
  place->op = (uint8_t)op;
  place->index = (int16_t)index;
  return place;
}

void wf_remote_place_free(wf_vm *vm, wf_remote_place *place) {
  if (place->message.parcel != NULL) wf_message_free(&place->message);
  place->link.next = NULL;
  place->instead_of = NULL;
  place->next = vm->free_places;
  vm->free_places = place;
  wf_core_unref(place->core);
}

static wf_remote *new_wait(wf_vm *vm) {
  wf_remote *wait = vm->free_remotes;
  if (wait == NULL) {
    wait = wf_mem_new(&vm->rt->mem, sizeof *wait);
    if (wait != NULL) wf_claim_init(&wait->claim);
    return wait;
  }
  vm->free_remotes = wait->next;
  wait->next = NULL;
  return wait;
}

static void free_wait(wf_remote *wait) {
  wf_vm *vm = wait->vm;
  wait->task = NULL;
  wait->claimed = wait->was_local = false;
  wait->ticket = 0;
  wait->places = NULL;
  wait->next = vm->free_remotes;
  vm->free_remotes = wait;
}

wf_remote *wf_remote_of(wf_task *task, void (*open)(wf_mail *mail)) {
  wf_vm *vm = task->vm;
  if (task->extra != NULL && task->extra->remote != NULL) return task->extra->remote;
  if (task->extra == NULL && !wf_wait_extend(task, 0)) return NULL;
  wf_remote *wait = new_wait(vm);
  if (wait == NULL) return NULL;
  wait->mail.open = open;
  wait->task = task;
  wait->vm = vm;
  wait->worker = vm->worker;
  task->extra->remote = wait;
  return wait;
}

void wf_remote_queue(wf_remote *wait, wf_remote_place *place, wf_link *queue) {
  place->wait = wait;
  place->next = wait->places;
  wait->places = place;
  if (wait->ticket == 0) wait->ticket = wf_claim_open(&wait->claim);
  wf_list_push(queue, &place->link);
}

static wf_remote_place *place_of(wf_link *link) {
  return wf_container_of(link, wf_remote_place, link);
}

// Takes all places of the first wait in the queue out of it: they lie side by side, as a task
// queues all of them in one go. One of them, each with the same chance.
static wf_remote_place *pop_wait(wf_link *queue, wf_rand *rand) {
  wf_link *first = wf_list_pop(queue);
  WF_ASSUME(first != NULL);
  wf_remote_place *chosen = place_of(first);
  const wf_remote *wait = chosen->wait;
  uint32_t seen = 1;
  while (!wf_list_empty(queue) && place_of(queue->next)->wait == wait) {
    wf_remote_place *place = place_of(wf_list_pop(queue));
    if (wf_rand_below(rand, ++seen) == 0) chosen = place;
  }
  return chosen;
}

wf_remote_place *wf_remote_claim_first(wf_link *queue, wf_rand *rand) {
  while (!wf_list_empty(queue)) {
    wf_remote *wait = place_of(queue->next)->wait;
    bool mine = wf_claim_one(&wait->claim, wait->ticket);
    wf_remote_place *place = pop_wait(queue, rand);
    if (mine) return place;
  }
  return NULL;
}

wf_remote *wf_remote_settle(wf_remote_place *place, wf_remote_outcome outcome) {
  wf_remote *wait = place->wait;
  wait->outcome = outcome;
  wait->op = place->op;
  wait->index = place->index;
  wait->core = place->core;
  return wait;
}

bool wf_remote_win(const wf_task *task) {
  wf_remote *wait = task->extra != NULL ? task->extra->remote : NULL;
  if (wait == NULL || wait->ticket == 0 || wait->claimed) return true;
  return wait->claimed = wf_claim_one(&wait->claim, wait->ticket);
}

static void leave_queues(wf_remote *wait) {
  wf_remote_place *place;
  while ((place = wait->places) != NULL) {
    wait->places = place->next;
    wf_lock_acquire(&place->core->lock);
    if (wf_link_in_list(&place->link)) wf_list_remove(&place->link);
    wf_lock_release(&place->core->lock);
    wf_remote_place_free(wait->vm, place);
  }
}

void wf_remote_leave(wf_remote *wait) {
  bool mine = wf_remote_win(wait->task);
  leave_queues(wait);
  if (mine) {
    free_wait(wait);
  } else {
    wait->task = NULL;  // freed with its mail
  }
}

wf_task *wf_remote_end(wf_mail *mail, wf_remote_result *result) {
  wf_remote *wait = wf_container_of(mail, wf_remote, mail);
  wf_task *task = wait->task;
  *result = (wf_remote_result){.outcome = wait->outcome,
                               .was_local = wait->was_local,
                               .op = wait->op,
                               .index = wait->index,
                               .core = wait->core,
                               .message = wait->message};
  wait->message.parcel = NULL;
  if (task == NULL) {
    if (result->message.parcel != NULL) wf_message_free(&result->message);
    free_wait(wait);
    return NULL;
  }
  wf_core_ref(result->core);  // what the task holds is let go of now
  wait->claimed = true;
  wf_claim(task);
  return task;
}

void wf_remote_free_all(wf_vm *vm) {
  wf_mem *mem = &vm->rt->mem;
  while (vm->free_remotes != NULL) {
    wf_remote *wait = vm->free_remotes;
    vm->free_remotes = wait->next;
    wf_mem_free(mem, wait, sizeof *wait);
  }
  while (vm->free_places != NULL) {
    wf_remote_place *place = vm->free_places;
    vm->free_places = place->next;
    wf_mem_free(mem, place, sizeof *place);
  }
}
