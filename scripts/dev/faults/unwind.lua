-- SPDX-License-Identifier: MIT
-- Faults in what is done for a reclaimed task (for scripts/dev/faults.lua).
local LANDS = { find = "task.lands(%s)\n", spec = "leaks_unwind" }

local function lands(what, arguments)
  return { what .. " of a reclaimed task is left undone", LANDS.spec,
    LANDS.find:format(arguments), "" }
end

return {
  { file = "runtime/task/unwind.c",
    { "clean-up takes whatever stands in a frame", "leaks_unwind", "slots - n + i", "i" },
    { "clean-up of a call that is not made yet", "leaks_unwind",
      "if (u->guard && lua_istable(L, -1))", "if (lua_istable(L, -1))" },
    { "clean-up stops at a coroutine", "leaks_unwind",
      "co != NULL; co = resumed_by(u, co)) depth++;", "co != NULL; co = NULL) depth++;" },
    { "clean-up around deferred calls comes before them", "leaks_unwind",
      "if (runs) u->outside = 1;", "" },
  },

  { file = "runtime/task/leaks.c",
    { "clean-up without deferred calls is left out", "leaks_unwind",
      "if (task->defers == LUA_NOREF && lua_isnil(L, -1) && lua_isnil(L, -2) && " ..
      "lua_isnil(L, -3)) {", "if (task->defers == LUA_NOREF && lua_isnil(L, -3)) {" },
  },

  { file = "lua/weft/internal/task.lua",
    { "clean-up comes after deferred calls", "leaks_unwind",
      "  unwind(inner, why)\n  list = list or raw.take_defers()\n",
      "  M.run_defers(raw.take_defers())\n  unwind(inner, why)\n" },
    { "clean-up fails silently", "leaks_unwind", "if not ok and err ~= why then",
      "if not ok and err == nil then" },
  },

  { file = "lua/weft/internal/sync/mutex.lua", lands("with", "Mutex.with, after_with, 1") },
  { file = "lua/weft/internal/sync/gate.lua", { "a lock of a reclaimed task is kept",
    "leaks_unwind", "  task.lands(method, after_with, 2)\n", "" } },
  { file = "lua/weft/internal/sync/once.lua", lands("once:call", "Once.call, after_call, 1"),
    lands("once_value", "Once.outcome_of, after_value, 1") },
  { file = "lua/weft/singleflight.lua", lands("a flight", "Flights.call, land, 3") },
  { file = "lua/weft/errgroup.lua", lands("a group's task", "run, finish, 1"),
    lands("the end of a group's task", "finish, leave, 1") },
  { file = "lua/weft/internal/map.lua", lands("an item", "work, leave, 2") },
}
