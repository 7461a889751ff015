-- SPDX-License-Identifier: MIT
-- What compiled code sends over a channel that has crossed, and receives, without leaving its
-- trace: numbers, and records, which are tables of a few names with numbers. It calls C through
-- the FFI, so that is for whoever has the compiler on. runtime/task/record.h has the messages.
--
-- For each shape there is a function that writes it and one that makes it again, generated here.
-- A table is of a shape when it has these names and no others, in this order as `next` goes.
--
-- Measured (tables of 3 fields, one VM, callgrind): sent and received 7,450 instructions by C,
-- most of them in LuaJIT's functions for tables; 1,620 so, with the making of the table sent.
local _, raw = ...

local type, next, getmetatable, loadstring = type, next, getmetatable, loadstring
local select, concat, unpack = select, table.concat, unpack

local MAX_FIELDS, MAX_NAME = 5, 23  -- runtime/task/record.h
local NOTHING, NUMBER = -1, 0  -- runtime/conc/shared.h: wf_shared_plain
-- First names that are looked at, and how often each: who sends ever new shapes sends them by C.
local MAX_FIRST, MAX_TRIES = 256, 8

local function nothing() return nil end

local compiled = raw.import "compiled"
if not compiled.is_on then return { send = nothing, recv = nothing } end

local ffi = require "ffi"
local send_number = compiled.fn("bool (*)(const void *, double)", "send_number")
local send_record = compiled.fn("bool (*)(const void *, uint32_t, const double *)", "send_record")
local recv_plain = compiled.fn("int (*)(const void *, double *)", "recv_plain")
local out, got = ffi.new("double[?]", MAX_FIELDS), ffi.new("double[?]", MAX_FIELDS)
-- Whether `got` is in use: making the table may run a finaliser, and what that receives goes by C
-- then. (So does all, once an error has got in between, for want of memory.) Between the first
-- store into `out` and its end nothing allocates.
local receiving = false

local named = raw.named_values()  -- a module goes by its name, whatever is in it
local writers = {}  -- the first name -> writer
local makers = {}  -- the shape's number -> maker
local tries, firsts = {}, 0  -- by first name; how many there are

local function generate(lines, ...)
  return loadstring(concat(lines, "\n"), "=[weft record]")(...)
end

-- write(t, first, values): the number of the shape when t has it, `first` being its first value;
-- else what `other`, the writer of another shape with that first name, says.
local function writer_of(shape, names, other)
  local n = #names
  local lines = {
    "local next, type, other = ...",
    "return function(t, first, values)",
    "local name, x = nil, first",
  }
  local function unless(condition)
    lines[#lines + 1] = ("if %s then return other(t, first, values) end"):format(condition)
  end
  for i = 1, n do
    if i > 1 then
      lines[#lines + 1] = ("name, x = next(t, %q)"):format(names[i - 1])
      unless(("name ~= %q"):format(names[i]))
    end
    unless "type(x) ~= 'number'"
    lines[#lines + 1] = ("values[%d] = x"):format(i - 1)
  end
  unless(("next(t, %q) ~= nil"):format(names[n]))
  lines[#lines + 1] = ("return %d end"):format(shape)
  return generate(lines, next, type, other)
end

-- make(values): the table.
local function maker_of(...)
  local fields = {}
  for i = 1, select("#", ...) do
    fields[i] = ("[%q] = values[%d]"):format(select(i, ...), i - 1)
  end
  return generate { "return function(values) return {", concat(fields, ", "), "} end" }
end

-- The names of t as `next` gives them; nil: it is no record.
local function names_of(t)
  local names, each = {}, next
  for name, v in each, t do
    if type(name) ~= "string" or #name > MAX_NAME or #names == MAX_FIELDS then return nil end
    if type(v) ~= "number" or not name:find "^[%a_][%w_]*$" then return nil end
    names[#names + 1] = name
  end
  return names
end

local function learn(t, first)
  local n = tries[first]
  if n == MAX_TRIES or n == nil and firsts == MAX_FIRST then return end
  if n == nil then firsts = firsts + 1 end
  tries[first] = (n or 0) + 1
  local names = names_of(t)
  local shape = names and raw.record_number(unpack(names))
  if shape then writers[first] = writer_of(shape, names, writers[first] or nothing) end
end

local function send_table(core, t)
  if getmetatable(t) ~= nil then return false end
  local first, x = next(t)
  if type(first) ~= "string" then return false end
  local write = writers[first]
  local shape = write and write(t, x, out)
  local sent = shape and named[t] == nil and send_record(core, shape, out)
  if not shape then learn(t, first) end
  return sent
end

-- Whether v has been sent on the channel whose proxy is
-- the userdata `core`. False: nothing has happened.
local function send(core, v)
  local kind = type(v)
  if kind == "number" then return send_number(core, v) end
  return kind == "table" and send_table(core, v)
end

local function take_record(shape)
  local make = makers[shape]
  if not make then
    make = maker_of(raw.record_names(shape))
    makers[shape] = make
  end
  return make(got)
end

-- A value, or nil: nothing has happened.
local function recv(core)
  if receiving then return nil end
  receiving = true
  local what, v = recv_plain(core, got), nil
  if what == NUMBER then
    v = got[0]
  elseif what ~= NOTHING then
    v = take_record(what)
  end
  receiving = false
  return v
end

return { send = send, recv = recv }
