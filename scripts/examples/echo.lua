-- SPDX-License-Identifier: MIT
-- An echo server and its clients, in one program.
--
-- Calls look as if they blocked, and suspend their task alone: a task for each connection is all
-- the structure that a server needs. `weft echo.lua server 127.0.0.1:7777` serves until it is
-- interrupted; without arguments it serves three clients of its own and ends.

local weft = require "weft"
local net = weft.net

local function echo(conn)
  for line in conn:lines() do -- until the client hangs up
    conn:write(line, "\n")
  end
end -- net.serve closes the connection

if arg[1] == "server" then
  local listener = assert(net.listen("tcp", arg[2] or "127.0.0.1:7777"))
  print("listening at " .. listener:addr())
  assert(net.serve(listener, echo))
  return
end

local ctx, stop = weft.context.with_cancel(weft.context.background())
local listener = assert(net.listen("tcp", "127.0.0.1:0")) -- any port
local server = weft.async(net.serve, listener, echo, { ctx = ctx, grace = 5 })

local function client(name)
  local conn = assert(net.dial("tcp", listener:addr(), { timeout = 5 }))
  conn:set_timeout(5) -- no answer for so long is an error, not a program that hangs
  local answers = {}
  for i = 1, 3 do
    assert(conn:write(name, " ", i, "\n"))
    answers[i] = assert(conn:read_line())
  end
  conn:close()
  return table.concat(answers, ", ")
end

for _, answer in ipairs(assert(weft.map({ "ann", "bob", "eve" }, client))) do
  print(answer)
end

stop()
print("served to the end: " .. tostring(server:await()))
