-- SPDX-License-Identifier: MIT
-- Functions of C that compiled code calls through the FFI, and so without leaving its trace
-- (runtime/conc/compiled.h), for whoever has the compiler on.
local _, raw = ...

local pcall, each, unpack = pcall, next, unpack
local getupvalue = debug and debug.getupvalue  -- a host may leave out the library

local M = {}

local has_ffi, ffi = pcall(require, "ffi")
M.is_on = has_ffi and jit.status()

-- The function, or what the address is of; nil without the compiler.
function M.fn(type_of_it, name)
  return M.is_on and ffi.cast(type_of_it, raw[name .. "_address"]) or nil
end

-- Interpreted, a call through the FFI takes 150 ns, ten times as much as a plain one. But a trace
-- need not call what the interpreter calls: LuaJIT takes a local variable that is never assigned
-- to, and that a function refers to, for a constant when it records a trace, and it tells when it
-- begins to record and when it is done. In between these variables have other values. So neither
-- the interpreter nor a trace looks which to call.
--
-- What is recorded is run by the interpreter too, so both have to do the same. Where somebody else
-- listens to what LuaJIT tells of traces (luajit -jv), or without the library `debug`, nothing is
-- exchanged.
local function listen(on_trace)
  local handlers, before = debug.getregistry()._VMEVENTS or {}, {}
  for event, handler in each, handlers do before[event] = handler end
  jit.attach(on_trace, "trace")
  for event, handler in each, before do
    if handlers[event] ~= handler then jit.attach(handler, "trace") end
  end
end

-- list: { fn, name, value }, …. In traces, the value takes the place of what the variable `name`
-- of fn is otherwise. To be called once: LuaJIT has one listener.
--
-- That is in C: were it in Lua, finalisers could run wherever LuaJIT begins a trace, which may be
-- in the middle of a step on a channel's ring.
function M.exchange(list)
  if not getupvalue then return end
  local flat = {}
  for i = 1, #list do
    local fn, name, value = unpack(list[i])
    local index = 1
    while getupvalue(fn, index) ~= name do index = index + 1 end
    local _, plain = getupvalue(fn, index)
    local at = #flat
    flat[at + 1], flat[at + 2], flat[at + 3], flat[at + 4] = fn, index, plain, value
  end
  listen(raw.exchanger(unpack(flat)))
end

return M
