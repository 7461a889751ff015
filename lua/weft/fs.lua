-- SPDX-License-Identifier: MIT
-- weft.fs: files and folders. Each call suspends its task only: a thread of a small pool makes it,
-- but what is in memory already (small files, parts of open ones) is read at once. All of them
-- take a context last; one that ends gives the call up: its result is dropped, and what the system
-- has begun by then comes to its end unseen (of a long write the piece that is under way).
--
-- Failures: nil, "<call> <path>: <the system's words> (ECODE)", "ECODE".
local _, raw = ...

local io = raw.import "io"
local file = raw.import "file"
local type, os_getenv, pcall, error = type, os.getenv, pcall, error
local finish, path_arg, options, flag = io.finish, io.path, io.options, io.flag
local fs_call, read_now = raw.fs_call, raw.fs_read_now

---@class weft.fs
local fs = {}

-- Calls of one path, or two, with nothing else to say.
local function of_path(fname)
  return function(path, ctx)
    return finish(fs_call(fname, path_arg(path, 1, fname)), fname, ctx, 2)
  end
end

local function of_two(fname, first, second)
  return function(from, to, ctx)
    path_arg(from, 1, fname, first)
    path_arg(to, 2, fname, second)
    return finish(fs_call(fname, from, to), fname, ctx, 3)
  end
end

local MODES = {}
for _, m in ipairs { "r", "w", "a", "r+", "w+", "a+" } do
  MODES[m], MODES[m .. "b"] = m, m
  MODES[m:sub(1, 1) .. "b" .. m:sub(2)] = m
end

-- Opens a file. Modes as io.open: "r" (default), "w", "a", "r+", "w+", "a+".
---@param path string
---@param mode? string
---@param ctx? weft.Context
---@return weft.File?, string?, string?
function fs.open(path, mode, ctx)
  path_arg(path, 1, "open")
  if mode == nil then mode = "r" end
  if not MODES[mode] then raw.bad_arg(2, "open", "mode as of io.open", mode) end
  local handle, err, code = file.opened(finish(raw.fs_open(path, MODES[mode]), "open", ctx, 3))
  if handle then return handle end
  return nil, err, code
end

-- All of a file.
---@param path string
---@param ctx? weft.Context
---@return string?, string?, string?
function fs.read_file(path, ctx)
  local text, fd = read_now(path_arg(path, 1, "read_file"), ctx)
  if text then return text end
  if text == nil then return nil, fd end  -- why not
  local fine, caller = pcall(raw.fs_read_file, path, fd)
  if not fine then
    raw.fs_close(fd)
    error(caller, 0)
  end
  return finish(caller, "read_file", ctx, 2)
end

-- Writes a file: in place of what it held; behind that with `append`; or, with `atomic`, so that
-- whoever reads it, now or after a crash, finds the old or the new one, whole: it is written
-- beside the old one, brought to the disk and given its name, permissions and, if allowed, owner.
-- `mode`: the permissions of a file that is new (default: what the system gives), of an atomic one
-- always.
---@param path string
---@param data string
---@param opts? {append?: boolean, atomic?: boolean, mode?: integer}
---@param ctx? weft.Context
---@return true?, string?, string?
function fs.write_file(path, data, opts, ctx)
  path_arg(path, 1, "write_file")
  if type(data) == "number" then data = tostring(data) end
  if type(data) ~= "string" then raw.bad_arg(2, "write_file", "string", data) end
  local arg
  opts, ctx, arg = options(opts, ctx, 3, "write_file")
  local append = flag(opts, "append", 3, "write_file")
  local atomic = flag(opts, "atomic", 3, "write_file")
  local mode = opts.mode
  if mode ~= nil then io.mode(mode, 3, "write_file") end
  if append and atomic then
    raw.raise("'write_file': append and atomic exclude each other: an atomic write replaces")
  end
  local caller = raw.fs_write_file(path, data, append, atomic, mode)
  return finish(caller, "write_file", ctx, arg, data)
end

-- What the system says of a file, following links: type ("file", "directory", "fifo", "socket",
-- "char", "block"), size, mode (permissions), mtime, atime, ctime (seconds, as time.now), uid,
-- gid, ino, dev, nlink.
---@type fun(path: string, ctx?: weft.Context): table?, string?, string?
fs.stat = of_path "stat"

-- What a folder holds, sorted by name: {name=, type=}; a link is a "link".
---@type fun(dir: string, ctx?: weft.Context): {name: string, type: string}[]?, string?, string?
fs.list = of_path "list"

---@type fun(from: string, to: string, ctx?: weft.Context): true?, string?, string?
fs.rename = of_two("rename", "path as string", "new path as string")

-- Copies a file, with its permissions; a file that is there is replaced. Of a copy that fails, or
-- whose context ends, nothing is left.
---@type fun(from: string, to: string, ctx?: weft.Context): true?, string?, string?
fs.copy = of_two("copy", "path as string", "new path as string")

-- Gives a file a second name.
---@type fun(path: string, new: string, ctx?: weft.Context): true?, string?, string?
fs.link = of_two("link", "path as string", "new path as string")

-- Makes a link `path` that leads to `target`.
---@type fun(target: string, path: string, ctx?: weft.Context): true?, string?, string?
fs.symlink = of_two("symlink", "target as string", "path as string")

---@type fun(path: string, ctx?: weft.Context): string?, string?, string?
fs.readlink = of_path "readlink"

---@param path string
---@param mode integer permissions: tonumber("644", 8)
---@param ctx? weft.Context
---@return true?, string?, string?
function fs.chmod(path, mode, ctx)
  path_arg(path, 1, "chmod")
  return finish(fs_call("chmod", path, nil, io.mode(mode, 2, "chmod")), "chmod", ctx, 3)
end

-- Makes a folder; with `parents` also those above, and one that is there will do.
---@param path string
---@param opts? {parents?: boolean, mode?: integer}
---@param ctx? weft.Context
---@return true?, string?, string?
function fs.mkdir(path, opts, ctx)
  path_arg(path, 1, "mkdir")
  local arg
  opts, ctx, arg = options(opts, ctx, 2, "mkdir")
  local mode = opts.mode
  if mode ~= nil then io.mode(mode, 2, "mkdir") end
  local caller = fs_call("mkdir", path, nil, mode, flag(opts, "parents", 2, "mkdir"))
  return finish(caller, "mkdir", ctx, arg)
end

-- Removes a file, a link or an empty folder; with `recursive` a folder with all that is in it
-- (links are removed, not followed), and nothing there is no failure.
---@param path string
---@param opts? {recursive?: boolean}
---@param ctx? weft.Context
---@return true?, string?, string?
function fs.remove(path, opts, ctx)
  path_arg(path, 1, "remove")
  local arg
  opts, ctx, arg = options(opts, ctx, 2, "remove")
  local caller = fs_call("remove", path, nil, nil, flag(opts, "recursive", 2, "remove"))
  return finish(caller, "remove", ctx, arg)
end

local function template()
  local dir = os_getenv "TMPDIR"
  if not dir or dir == "" then dir = "/tmp" end
  return (dir:gsub("(.)/+$", "%1")) .. "/weft-XXXXXX"
end

-- Makes a new folder, for the caller alone, in $TMPDIR or /tmp: its path.
---@param ctx? weft.Context
---@return string?, string?, string?
function fs.temp_dir(ctx)
  return finish(fs_call("temp_dir", template()), "temp_dir", ctx, 1)
end

-- Makes a new file there, open for reading and writing: the file and its path. Removing it is the
-- caller's.
---@param ctx? weft.Context
---@return weft.File?, string?, string?
function fs.temp_file(ctx)
  local handle, path, code = file.opened(finish(raw.fs_open(template(), "r+", true),
    "temp_file", ctx, 1))
  return handle, path, code
end

-- A channel of all that is below a folder: {path=, type=}, in the order of names, a folder before
-- what is in it; closed at the end, or with an error when something cannot be read. With `follow`
-- links are what they lead to, and folders among them are entered, unless the walk is in them
-- already. Up to `limit` folders (default 8) are listed ahead. A walk whose channel nobody has any
-- more ends, and so does one whose context ends.
---@param dir string
---@param opts? {follow?: boolean, limit?: integer}
---@param ctx? weft.Context
---@return weft.Chan
function fs.walk(dir, opts, ctx)
  path_arg(dir, 1, "walk")
  opts, ctx = options(opts, ctx, 2, "walk")
  if ctx ~= nil and not raw.is_ctx(ctx) then raw.bad_arg(3, "walk", "context", ctx) end
  local limit = opts.limit
  if limit == nil then limit = 8 end
  if io.integer(limit, 2, "walk", "limit as integer >= 1") == 0 then
    raw.bad_arg(2, "walk", "limit as integer >= 1", limit)
  end
  return raw.import("walk")(fs, dir, flag(opts, "follow", 2, "walk"), limit, ctx)
end

-- A channel of what happens to a file, or in a folder, with `recursive` also in those below:
-- {path=, event=}, "change" of what is in a file, "rename" where a name comes or goes. `stop` ends
-- it, and closes the channel. Where more happens than anybody reads, some of it is left out, and a
-- "change" of the path itself says so.
---@param path string
---@param opts? {recursive?: boolean}
---@param ctx? weft.Context
---@return weft.Chan?, fun()|string?, string?
function fs.watch(path, opts, ctx)
  path_arg(path, 1, "watch")
  opts, ctx = options(opts, ctx, 2, "watch")
  if ctx ~= nil and not raw.is_ctx(ctx) then raw.bad_arg(3, "watch", "context", ctx) end
  return raw.import("watch")(fs, path, flag(opts, "recursive", 2, "watch"), ctx)
end

return fs
