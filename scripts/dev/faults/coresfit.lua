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
    { "workers do not sleep", "idle",
      "  wf_loop_wait(&w->loop, timeout);\n", "  wf_loop_wait(&w->loop, 0);\n" },
    { "the bytes of a VM that rests are old", "inspect",
      "    wf_worker_note_bytes(w, w->isolated);\n", "" },
  },

  { file = "runtime/sched/worker.c",
    { "only main knows its bytes", "inspect",
      "worker->rt->workers != NULL)) wf_worker_note_bytes(worker, vm);",
      "worker->rt->workers != NULL)) {\n  }" },
  },

  { file = "runtime/sched/runtime.c",
    { "a panic from afar is lost without memory", "embed/oom",
      "    wf_worker_post(&rt->worker, &rt->out_of_memory);\n", "" },
  },
}
