-- SPDX-License-Identifier: MIT
-- A leak: tasks that wait for what nobody can do any more, and how weft finds them.
--
-- `first_answer` asks three mirrors at once and takes whoever is first. The other two answer as
-- well, into a channel that nobody receives from and nobody refers to but they themselves: they
-- would wait until the program ends, and a server that does this for every request grows for
-- ever. `weft.leaks` proves it: it looks at everything that can still run and at all that this
-- refers to, and lists the tasks that nothing there can wake. `weft --leaks script.lua` does the
-- same at the end of main. The cure here: a buffer with room for every answer.

local weft = require "weft"

local MIRRORS = { { "north", 0.02 }, { "east", 0.04 }, { "south", 0.06 } }

local function first_answer(room)
  local answers = weft.name(weft.chan(room), "answers")
  for _, mirror in ipairs(MIRRORS) do
    local name, delay = mirror[1], mirror[2]
    weft.go(function()
      weft.defer(print, "  hung up on " .. name)
      weft.sleep(delay)
      answers:send(name) -- without room, all but one stay here
    end)
  end
  return answers:recv()
end

print("first without room: " .. first_answer(0))
weft.sleep(0.1)
for _, task in ipairs(weft.leaks()) do
  print(("  leaked: %s on %s at %s"):format(task.state, task.label, task.where:match "[^/]*$"))
end

print "reclaiming them, which runs their deferred calls"
weft.leaks { reclaim = true }
weft.sleep(0.1) -- these might wait
print(("  %d leaked, %d live"):format(#weft.leaks(), weft.ntasks()))

print("first with room: " .. first_answer(#MIRRORS))
weft.sleep(0.1)
print(("  %d leaked, %d live"):format(#weft.leaks(), weft.ntasks()))
