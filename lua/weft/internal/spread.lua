-- SPDX-License-Identifier: MIT
-- Which of n places a key belongs to, by jump consistent hashing (Lamping and Veach, 2014): the
-- same in every process, evenly, and when n becomes n + 1 only one key in n + 1 moves, to the new
-- place.
local _, raw = ...

local bit = raw.require "bit"
local band, bxor, rshift, tobit = bit.band, bit.bxor, bit.rshift, bit.tobit
local byte, floor, type, tostring, error = string.byte, math.floor, type, tostring, error
local format = string.format
local GOLDEN = 0x9e3779b9

local M = {}

-- a * b modulo 2^32: a product of two 32-bit numbers does not fit into a double.
local function mul(a, b)
  return tobit(band(a, 0xffff) * b + band(rshift(a, 16) * b, 0xffff) * 65536)
end

-- The last step of MurmurHash3: every bit depends on every other.
local function mix(h)
  h = mul(bxor(h, rshift(h, 16)), 0x85ebca6b)
  h = mul(bxor(h, rshift(h, 13)), 0xc2b2ae35)
  return bxor(h, rshift(h, 16))
end

-- FNV-1a.
local function hash(text)
  local h = tobit(0x811c9dc5)
  for i = 1, #text do h = mul(bxor(h, byte(text, i)), 0x01000193) end
  return h
end

local function text_of(key)
  local kind = type(key)
  if kind == "string" then return key end
  if kind == "number" then return format("%.17g", key) end
  if kind == "boolean" then return tostring(key) end
  error(("a key has to be a string, number or boolean, not %s"):format(kind), 0)
end

-- The place of the key, from 1 to n.
function M.place(key, n)
  local h = hash(text_of(key))
  local place, next_place, i = 0, 0, 0
  while next_place < n do
    place, i = next_place, i + 1
    local random = mix(tobit(h + i * GOLDEN)) % 4294967296
    next_place = floor((place + 1) * (4294967296 / (random + 1)))
  end
  return place + 1
end

return M
