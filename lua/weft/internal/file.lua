-- SPDX-License-Identifier: MIT
-- Open files of weft.fs. Each call is a whole: while one reads or writes, the others of the same
-- file wait their turn (runtime/io/file.h).
local _, raw = ...

local io = raw.import "io"
local type, setmetatable, getmetatable, select = type, setmetatable, getmetatable, select
local concat = table.concat
local finish, integer, file_call = io.finish, io.integer, raw.file_call
local BLOCK = 65536

---@class weft.File
local File = {}
local WHAT = "weft.file"

local M = {}

local function core_of(self, fname)
  if type(self) ~= "table" or getmetatable(self) ~= WHAT then
    raw.bad_self(self, fname, "file", "f")
  end
  return self[0]
end

local function run(caller, fname, ctx, arg, data)
  if not caller then return nil, "closed" end
  return finish(caller, fname, ctx, arg, data)
end

-- Up to `n` bytes (default 64 KiB) from where the file stands: fewer at its end, or when it is a
-- pipe or a terminal and has no more just now. nil, "eof" at the end.
---@param n? integer
---@param ctx? weft.Context
---@return string?, string?, string?
function File:read(n, ctx)
  local core = core_of(self, "read")
  if n == nil then n = BLOCK end
  integer(n, 1, "read", "number of bytes as integer >= 0")
  return run(file_call(core, "read", n), "read", ctx, 2)
end

-- Up to `n` bytes from `offset` on; where the file stands does not matter and does not change.
---@param n integer
---@param offset integer
---@param ctx? weft.Context
---@return string?, string?, string?
function File:read_at(n, offset, ctx)
  local core = core_of(self, "read_at")
  integer(n, 1, "read_at", "number of bytes as integer >= 0")
  integer(offset, 2, "read_at", "offset as integer >= 0")
  return run(file_call(core, "read_at", n, offset), "read_at", ctx, 3)
end

-- What write was given, as one string, and the context behind it, if any.
local function gather(...)
  local n = select("#", ...)
  local last = n > 0 and select(n, ...) or nil
  local ctx = type(last) == "table" and raw.is_ctx(last) and last or nil
  if ctx then n = n - 1 end
  local parts = { ... }
  for i = 1, n do
    local kind = type(parts[i])
    if kind ~= "string" and kind ~= "number" then
      raw.bad_arg(i, "write", "string or number", parts[i])
    end
  end
  return n == 1 and tostring(parts[1]) or concat(parts, "", 1, n), ctx, n + 1
end

-- Writes strings and numbers, as one whole; true when the system has taken all of it. A context
-- may come last: when it ends what the system has taken by then stays written.
---@param ... string|number|weft.Context
---@return true?, string?, string?
function File:write(...)
  local core = core_of(self, "write")
  local data, ctx, arg = gather(...)
  return run(file_call(core, "write", nil, nil, data), "write", ctx, arg, data)
end

local WHENCE = { set = true, cur = true, ["end"] = true }

-- Where the file stands from now on, counted from its begin ("set"), from there ("cur", the
-- default) or from its end ("end"), as file:seek of Lua. Without arguments: where it stands.
---@param whence? string
---@param offset? integer
---@param ctx? weft.Context
---@return integer?, string?, string?
function File:seek(whence, offset, ctx)
  local core = core_of(self, "seek")
  if whence == nil then whence = "cur" end
  if offset == nil then offset = 0 end
  if not WHENCE[whence] then raw.bad_arg(1, "seek", '"set", "cur" or "end"', whence) end
  if type(offset) ~= "number" or offset % 1 ~= 0 or offset ~= offset or offset > 2 ^ 53
    or offset < -2 ^ 53 then
    raw.bad_arg(2, "seek", "offset as integer", offset)
  end
  return run(file_call(core, "seek", nil, offset, whence), "seek", ctx, 3)
end

-- As weft.fs.stat.
---@param ctx? weft.Context
---@return table?, string?, string?
function File:stat(ctx)
  return run(file_call(core_of(self, "stat"), "stat"), "stat", ctx, 1)
end

-- Waits until what was written is on the disk.
---@param ctx? weft.Context
---@return true?, string?, string?
function File:sync(ctx)
  return run(file_call(core_of(self, "sync"), "sync"), "sync", ctx, 1)
end

-- Cuts it off, or fills it up with zeros, at `size` bytes (default 0).
---@param size? integer
---@param ctx? weft.Context
---@return true?, string?, string?
function File:truncate(size, ctx)
  local core = core_of(self, "truncate")
  if size == nil then size = 0 end
  integer(size, 1, "truncate", "size as integer >= 0")
  return run(file_call(core, "truncate", size), "truncate", ctx, 2)
end

-- An iterator over its lines, without their ends. Raises what keeps it from reading on.
---@param ctx? weft.Context
---@return fun(): string?
function File:lines(ctx)
  local core = core_of(self, "lines")
  local file_line = raw.file_line
  return function()
    local ready = ctx == nil and file_line(core)
    if ready then return ready end
    local line, err = run(file_call(core, "line"), "lines", ctx, 1)
    if line or err == "eof" then return line end
    raw.raise(err)
  end
end

-- Closes it. Who waits for one of its calls gets nil, "closed".
---@return true?, string?, string?
function File:close()
  local ok, err, code = raw.file_close(core_of(self, "close"))
  if type(ok) ~= "userdata" then return ok, err, code end
  -- It is closed whatever becomes of the task: nobody could do that again.
  local ctx = raw.scoped[1] and raw.require("weft.context").background() or nil
  return finish(ok, "close", ctx, 1)
end

local metatable = {
  __index = File,
  __metatable = WHAT,
  __tostring = function(self)
    local path, closed = raw.file_path(self[0])
    return ("file (%s%s)"):format(path, closed and ", closed" or "")
  end,
}

-- The results of open: the file in place of its core.
function M.opened(core, path, code)
  if not core then return nil, path, code end
  return setmetatable({ [0] = core }, metatable), path
end

return M
