-- SPDX-License-Identifier: MIT
-- Runs the scripts of scripts/examples as a user does, and looks at what they print.

local assert = require 'luassert'
local proc = require 'support.proc'

local M = {}

M.folder = debug.getinfo(1, 'S').source:match('^@(.*)spec/support/') .. 'scripts/examples/'

function M.lines(text)
  local list = {}
  for line in text:gmatch('[^\n]*\n') do list[#list + 1] = line:sub(1, -2) end
  return list
end

-- The lines that it printed, sorted if asked; it has to end well, without errors. Options of weft
-- stand in front, as { '--clock=virtual' }.
function M.output(name, options, sorted)
  local args = {}
  for i, option in ipairs(options or {}) do args[i] = option end
  args[#args + 1] = M.folder .. name .. '.lua'
  local r = proc.weft(args)
  assert.same({ err = '', status = 0 }, { err = r.err, status = r.status })
  local list = M.lines(r.out)
  if sorted then table.sort(list) end
  return list
end

return M
