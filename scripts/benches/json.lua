-- SPDX-License-Identifier: MIT
-- Writes a table as JSON: objects with sorted keys, lists where there is an element 1.
local M = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\t"] = "\\t" }

local function text(s)
  return '"' .. s:gsub('[%c"\\]', function(c)
    return ESCAPES[c] or ("\\u%04x"):format(c:byte())
  end) .. '"'
end

local function number(n)
  if n ~= n or n == math.huge or n == -math.huge then return "null" end
  return ("%.10g"):format(n)
end

local encode

local function list(t, indent)
  local parts = {}
  for i, v in ipairs(t) do parts[i] = encode(v, indent) end
  return "[" .. table.concat(parts, ", ") .. "]"
end

local function object(t, indent)
  local keys, inner = {}, indent .. "  "
  for k in pairs(t) do keys[#keys + 1] = k end
  table.sort(keys)
  for i, k in ipairs(keys) do keys[i] = inner .. text(k) .. ": " .. encode(t[k], inner) end
  if #keys == 0 then return "{}" end
  return "{\n" .. table.concat(keys, ",\n") .. "\n" .. indent .. "}"
end

function encode(v, indent)
  local kind = type(v)
  if kind == "string" then return text(v) end
  if kind == "number" then return number(v) end
  if kind == "boolean" then return tostring(v) end
  return (v[1] ~= nil and list or object)(v, indent)
end

function M.encode(v) return encode(v, "") .. "\n" end

return M
