// SPDX-License-Identifier: MIT
#include "task/hog.h"

#include <stdio.h>

#include "task/park.h"
#include "task/site.h"
#include "task/task.h"
#include "task/trace.h"

// Runs on the monitor's thread while the worker goes on: the struct may by now be another task's,
// which the monitor notices, and its memory stays as long as the lock is held. The loads pair with
// the stores of wf_task_go and wf_park; the place of a site comes with its number.
void wf_hog_peek(wf_vm *vm, const struct wf_task *task, wf_hog *hog) {
  hog->task = wf_load_acquire(&task->id);
  hog->creator = wf_load_acquire(&task->creator);
  uint8_t reason = wf_load_acquire(&task->reason);
  uint32_t site = wf_load_acquire(&task->site);
  hog->waited = reason != WF_WAIT_NONE ? wf_reason_name(reason) : NULL;
  (void)snprintf(hog->created, sizeof hog->created, "%s", wf_site_text(vm, site));
}

enum { MAX_TEXT = 800, MAX_PART = 160 };

static const char *what_it_keeps(const wf_hog *hog) {
  return hog->of_guest ? "the main VM's thread" : "its VM";
}

static double seconds(uint64_t ns) { return (double)ns / 1e9; }

// "0.103 s (0.101 s of it computing)": a task that computes little sits in a C function that
// blocks its thread.
static void duration(const wf_hog *hog, char *text) {
  int n = snprintf(text, MAX_PART, "%.3f s", seconds(hog->kept_ns));
  if (hog->has_cpu && n > 0) {
    uint64_t cpu_ns = hog->cpu_ns < hog->kept_ns ? hog->cpu_ns : hog->kept_ns;
    (void)snprintf(text + n, (size_t)(MAX_PART - n), " (%.3f s of it computing)", seconds(cpu_ns));
  }
}

// "; created by task 1 at file.lua:12"
static void origin(const wf_hog *hog, char *text) {
  if (hog->creator == 0) {
    (void)snprintf(text, MAX_PART, "; created by the host");
  } else {
    (void)snprintf(text, MAX_PART, "; created by task %llu at %s",
                   (unsigned long long)hog->creator, hog->created);
  }
}

void wf_hog_say(wf_runtime *rt, const wf_hog *hog) {
  char text[MAX_TEXT], kept[MAX_PART], created[MAX_PART];
  char place[MAX_PART] = "", waited[MAX_PART] = "";
  duration(hog, kept);
  origin(hog, created);
  if (hog->place[0] != '\0') {
    (void)snprintf(place, sizeof place, "; it is at %s", hog->place);
  }
  if (hog->waited != NULL) {
    (void)snprintf(waited, sizeof waited, "; it last waited in %s", hog->waited);
  }
  (void)snprintf(text, sizeof text,
                 "weft: task %llu has kept %s for %s while others wait, and goes on%s%s%s\n",
                 (unsigned long long)hog->task, what_it_keeps(hog), kept, place, waited, created);
  rt->log(rt->log_ud, text);
}

typedef struct search {
  uint64_t id;
  wf_task *found;
} search;

static void match(wf_task *task, void *arg) {
  search *s = arg;
  if (task->id == s->id) s->found = task;
}

typedef struct look_call {
  wf_vm *vm;
  uint64_t task;
  char place[MAX_PART];  // "file.lua:33 (chan receive)"
} look_call;

// Where the task has got to.
static int look(lua_State *L) {
  look_call *call = lua_touserdata(L, 1);
  search s = {.id = call->task};
  wf_tasks_each(call->vm, match, &s);
  if (s.found == NULL) {
    (void)snprintf(call->place, sizeof call->place, "its end");
    return 0;
  }
  if (s.found->flags & WF_TASK_DEFERRING && s.found->state == WF_READY) {
    (void)snprintf(call->place, sizeof call->place, "its deferred calls");
    return 0;
  }
  wf_trace_push_where(L, s.found);
  (void)snprintf(call->place, sizeof call->place, "%s (%s)", lua_tostring(L, -1),
                 wf_task_state_name(s.found));
  return 0;
}

void wf_hog_report(wf_vm *vm, const wf_hog *hog) {
  look_call call = {.vm = vm, .task = hog->task, .place = "?"};
  if (wf_vm_call_protected(vm, look, &call) != 0) lua_pop(vm->L, 1);  // out of memory
  char text[MAX_TEXT], kept[MAX_PART], created[MAX_PART];
  duration(hog, kept);
  origin(hog, created);
  const char *format = hog->said ? "weft: task %llu gave %s up after %s, at %s%s\n"
                                 : "weft: task %llu kept %s for %s while others waited, "
                                   "until %s%s\n";
  (void)snprintf(text, sizeof text, format, (unsigned long long)hog->task, what_it_keeps(hog),
                 kept, call.place, created);
  vm->rt->log(vm->rt->log_ud, text);
}
