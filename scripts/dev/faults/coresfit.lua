-- SPDX-License-Identifier: MIT
-- Faults in what is reported of VMs other than main's, and in the core of shared channels with
-- real threads (for scripts/dev/faults.lua).
return {
  { file = "runtime/sched/monitor.c",
    { "mail keeps nobody waiting", "hog_cores",
      "  if (!wf_inbox_empty(&worker->inbox)) return true;\n", "" },
    { "tasks of VMs for isolated tasks are not watched", "hog_cores",
      "wf_vm *vms[2] = {w->worker->vm, w->worker->isolated};",
      "wf_vm *vms[2] = {&w->worker->rt->vm, NULL};" },
    { "only the main VM's ready tasks wait", "hog_cores",
      "has_waiting(worker->vm, now) || has_waiting(worker->isolated, now)",
      "has_waiting(&worker->rt->vm, now)" },
  },

  { file = "runtime/sched/workers.c",
    { "workers are not watched", "hog_cores", "    wf_monitor_add(workers->list[i]);\n", "" },
  },

  { file = "runtime/sched/turn.c",
    { "the monitor takes sleepers for busy", "idle", "  wf_monitor_sleep(w);\n", "" },
    { "who looks for work does not hear of the loop", "idle",
      "      wf_loop_turn(&w->loop);\n      if (any_ready(w)) {", "      if (any_ready(w)) {" },
    { "who hears of the loop wakes another to look in its place", "idle",
      "        give_up(w);\n", "        (void)give_up;\n" },
    { "workers do not sleep", "idle",
      "  wf_loop_wait(&w->loop, timeout);\n", "  wf_loop_wait(&w->loop, 0);\n" },
    { "the bytes of a VM that rests are old", "inspect",
      "    wf_worker_note_bytes(w, w->isolated);\n", "" },
  },

  { file = "runtime/sched/runtime.c",
    { "a panic from afar is lost without memory", "embed/oom",
      "    wf_worker_post(&rt->worker, &rt->out_of_memory);\n", "" },
  },

  { file = "runtime/conc/shared.c",
    { "a shared channel is read without its lock", "c/shared_test",
      "  wf_brief_acquire(&ch->ring.take.lock);\n  wf_message *slot",
      "  (void)wf_brief_try(&ch->ring.take.lock);\n  wf_message *slot" },
    { "who is queued to send and closed out counts as sent", "c/shared_test",
      "  settle_all(ch, &ch->sendq, &list);\n", "  settle_all(ch, &ch->sendq, &list);\n" ..
      "    for (wf_remote *w = list; w != NULL; w = w->next) {\n" ..
      "      if (w->op == WF_OP_SEND) w->outcome = WF_REMOTE_DONE;\n    }\n" },
  },

  { file = "runtime/task/obj.c",
    { "cycles that the last look found alive stay", "c/crossing_test",
      "  if (!last) wf_cycles_note();\n", "  (void)last;\n" },
  },
}
