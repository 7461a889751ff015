-- SPDX-License-Identifier: MIT
-- Only the cancel itself counts, neither the making of the children nor the look at them.
local bench = ...
local weft = require "weft"

local CHILDREN = 1000

local function cancel_children()
  local parent, cancel = weft.context.with_cancel(weft.context.background())
  local children, ended = {}, 0
  for i = 1, CHILDREN do children[i] = weft.context.with_cancel(parent) end
  local start = bench.now_ns()
  cancel()
  local ns = bench.now_ns() - start
  for _, child in ipairs(children) do
    if child:err() == weft.context.Canceled then ended = ended + 1 end
  end
  return ended, ns
end

local function pass(n)
  local ended, ns = 0, 0
  for _ = 1, n, CHILDREN do
    local these, took = cancel_children()
    ended, ns = ended + these, ns + took
  end
  return ended, ns
end

return { pass = pass }
