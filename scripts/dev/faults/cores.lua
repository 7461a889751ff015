-- SPDX-License-Identifier: MIT
-- Faults in how many workers there are, which of them take work, and what keeps tasks in other VMs
-- from their turn (for scripts/dev/faults.lua).
return {
  { file = "runtime/sched/cores.c",
    { "the quota of the groups above does not count", "c/cores_test",
      "    if (strlen(dir) <= length || slash == NULL) return least;",
      "    if (strlen(dir) >= length || slash == NULL) return least;" },
    { "the first version's quota is that of any controller", "c/cores_test",
      "    } else if (has_cpu(controllers)) {", "    } else if (has_cpu(controllers) || true) {" },
    { "a quota without a period is one", "c/cores_test",
      "double quota = strtod(line, &end), period = end != line ? strtod(end, NULL) : 0;",
      "double quota = strtod(line, &end), period = *end != 0 ? strtod(end, NULL) : 1e5;" },
  },

  { file = "runtime/sched/turn.c",
    { "surplus workers take work", "c/cores_test",
      "  return w->index < limit;", "  return w->index < w->rt->workers->count;" },
    { "with one core left, nobody takes work beside a timer", "c/cores_test",
      "!w->rt->keep_free && (limit == 1 || main_is_free(w))",
      "!w->rt->keep_free && (w->rt->workers->count == 1 || main_is_free(w))" },
    { "a thread that is kept free takes work", "embed/keep_free",
      "if (w->index == 0) return !w->rt->keep_free && (", "if (w->index == 0) return (" },
    { "who always has a task ready takes none that is kept elsewhere", "fair_cores",
      "  if (item == NULL) item = steal_from_anybody(w, false);\n", "" },
  },

  { file = "runtime/sched/workers.c",
    { "a thread that is kept free is alone", "embed/keep_free",
      "  return rt->keep_free && n == 1 ? 2 : n;", "  return n;" },
  },

  { file = "runtime/sched/idle.c",
    { "surplus workers are woken to search", "c/idle_test",
      "    while ((bits = asleep_in(idle, i, limit)) != 0) {",
      "    while ((bits = asleep_in(idle, i, idle->workers)) != 0) {" },
    { "a new limit wakes nobody", "c/idle_test",
      "  wf_u64_store(&idle->searchers, limit, WF_RELAXED);\n  wf_idle_notify(idle);",
      "  wf_u64_store(&idle->searchers, limit, WF_RELAXED);" },
  },

  { file = "runtime/task/preempt.c",
    { "in other VMs no task is interrupted", "fair_cores",
      "  if (!is_main(vm)) return has_had_its_slice(vm);\n",
      "  if (!is_main(vm)) return false;\n" },
    { "a task that is alone in its VM is interrupted all the time", "fair_cores",
      "now - p->slice_ns >= SLICE_NS && others_wait(vm);", "now - p->slice_ns >= SLICE_NS;" },
  },

  { file = "runtime/isolated.c",
    { "an error of weft.on_vm is told in the wrong words", "on_vm",
      "  if (lua_pcall(L, 1, 0, 0) == 0) return 0;\n", "  lua_call(L, 1, 0);\n  return 0;\n" },
  },
}
