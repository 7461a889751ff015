-- SPDX-License-Identifier: MIT
-- weft.process: child processes, their standard streams as connections. A child begins a session
-- of its own, so that the end of a context can kill it with all that it has started; what a
-- terminal sends to the program (Ctrl-C) therefore does not reach it.
local _, raw = ...

local io, conn, async = raw.import "io", raw.import "conn", raw.import("future").async
local type, setmetatable, getmetatable, tostring = type, setmetatable, getmetatable, tostring
local ipairs, each, rawget, pcall, error = ipairs, next, rawget, pcall, error
local SIGKILL = raw.kill_number "SIGKILL"

---@class weft.process
local process = {}

---@class weft.Proc
---@field pid integer
---@field stdin? weft.Conn what is "pipe"
---@field stdout? weft.Conn
---@field stderr? weft.Conn
local Proc = { __metatable = "weft.proc" }
Proc.__index = Proc

local STREAMS = { "stdin", "stdout", "stderr" }
local WORDS = { pipe = true, inherit = true, null = true }

local function text(v, fname, what)
  if type(v) == "number" then v = tostring(v) end
  if type(v) ~= "string" then raw.bad_arg(1, fname, what .. " as string", v) end
  if v:find("\0", 1, true) then
    raw.raise(("bad argument #1 to '%s' (%s without zero bytes expected, got %q)")
      :format(fname, what, v))
  end
  return v
end

local function args_of(opts, fname)
  local args = {}
  if opts[1] == nil then raw.bad_arg(1, fname, "command as [1]", nil) end
  for i, arg in ipairs(opts) do args[i] = text(arg, fname, ("argument [%d]"):format(i)) end
  return args
end

local function env_of(opts, fname)
  if opts.env == nil then return nil end
  if type(opts.env) ~= "table" then
    raw.bad_arg(1, fname, "env as table of name = value", opts.env)
  end
  local env = {}
  for name, value in each, opts.env do
    if type(name) ~= "string" or name == "" or name:find("=", 1, true) then
      raw.bad_arg(1, fname, "names of env as strings without =", name)
    end
    env[#env + 1] = text(name, fname, "name of env") .. "=" .. text(value, fname, "env." .. name)
  end
  return env
end

-- What a stream is: a word, or the core of a conn or a file.
local function stream_of(opts, name, default, fname)
  local v = opts[name]
  if v == nil then return default end
  if type(v) == "string" and WORDS[v] then return v end
  local kind = type(v) == "table" and getmetatable(v)
  if kind == "weft.conn" or kind == "weft.file" then return rawget(v, 0) end
  raw.bad_arg(1, fname, name .. ' as "pipe", "inherit", "null", a conn or a file', v)
end

local function context_of(opts, fname)
  local ctx = opts.ctx
  if ctx ~= nil and not raw.is_ctx(ctx) then raw.bad_arg(1, fname, "ctx as context", ctx) end
  return ctx
end

-- What a call gives that has started a child. Where it raises, as memory is out, nobody will have
-- that child: it is killed.
local function or_kill(core, ok, ...)
  if ok then return ... end
  raw.process_kill(core, SIGKILL, true)
  error((...), 0)
end

local function present(core, pid, ctx, a, b, c)
  local self = setmetatable({ [0] = core, pid = pid, stdin = a and conn.wrap(a),
    stdout = b and conn.wrap(b), stderr = c and conn.wrap(c) }, Proc)
  raw.process_bind(core, ctx or raw.require("weft.context").current())
  return self
end

local function start(opts, fname, defaults)
  if type(opts) ~= "table" then raw.bad_arg(1, fname, "table of command and options", opts) end
  local args, env, ctx = args_of(opts, fname), env_of(opts, fname), context_of(opts, fname)
  local cwd = opts.cwd
  if cwd ~= nil then io.path(cwd, 1, fname, "cwd as string") end
  local streams = {}
  for i, name in ipairs(STREAMS) do
    streams[i] = stream_of(opts, name, defaults[i], fname)
  end
  local over, err = raw.ctx_over(ctx, fname, 1)
  if over == nil then return nil, err end
  local core, pid, a, b, c = raw.process_start(args, env, cwd, streams[1], streams[2], streams[3])
  if not core then return nil, pid, a end
  return or_kill(core, pcall(present, core, pid, ctx, a, b, c))
end

local INHERITED = { "inherit", "inherit", "inherit" }

-- Starts a command: {cmd, args…, cwd=, env=, stdin=, stdout=, stderr=, ctx=}. It is looked for in
-- PATH. `env` (name = value) takes the place of the program's own environment. Streams: "inherit"
-- (the program's own, the default), "null", "pipe" (a conn of that name in what is returned), a
-- conn or a file. When ctx (without one: the task's own context) ends the child is killed, with
-- its group.
---@param opts table
---@return weft.Proc?, string?, string?
function process.start(opts) return start(opts, "start", INHERITED) end

local function core_of(self, fname)
  if type(self) ~= "table" or getmetatable(self) ~= "weft.proc" then
    raw.bad_self(self, fname, "process", "p")
  end
  return self[0]
end

-- Waits for its end: {code=} or, where a signal has ended it, {signal=} with its name. Any number
-- of tasks may wait, and again.
---@param ctx? weft.Context
---@return {code?: integer, signal?: string}?, string?
function Proc:wait(ctx)
  local core = core_of(self, "wait")
  local ok, err = raw.process_wait(core, ctx)
  if not ok then return nil, err end
  local code, name = raw.process_result(core)
  return { code = code, signal = name }
end

-- Sends it a signal, by name or number (default "SIGTERM").
---@param sig? string|integer
---@return true?, string?, string?
function Proc:kill(sig)
  local core = core_of(self, "kill")
  if sig == nil then sig = "SIGTERM" end
  local number = sig
  if type(sig) == "string" then number = raw.kill_number(sig) end
  if type(number) ~= "number" or number % 1 ~= 0 or number < 1 or number > 64 then
    raw.bad_arg(1, "kill", 'signal, as in "SIGTERM",', sig)
  end
  return raw.process_kill(core, number, false)
end

function Proc.__tostring(self) return ("process %d"):format(self.pid) end

local function read_all(stream, ctx)
  local data, err, code = stream:read_all(nil, ctx)
  stream:close()
  return data, err, code
end

-- In a task beside the caller's: what its own context raises there is the caller's to tell.
local function read_beside(stream, ctx)
  local ok, data, err, code = pcall(read_all, stream, ctx)
  if ok then return data, err, code end
  return nil, data
end

local function write_all(stream, data, ctx)
  -- A child that does not read all of it has its reasons.
  if ctx then stream:write(data, ctx) else stream:write(data) end
  stream:close()
end

local function input_of(opts)
  local input = opts.input
  if input == nil then return nil end
  if type(input) == "number" then input = tostring(input) end
  if type(input) ~= "string" then raw.bad_arg(1, "run", "input as string", input) end
  if opts.stdin ~= nil and opts.stdin ~= "pipe" then
    raw.raise("'run': input goes through a pipe: leave stdin out")
  end
  return input
end

local function finish_run(p, opts, input)
  local ctx, err, code = opts.ctx, nil, nil
  local out = p.stdout and async(read_beside, p.stdout, ctx)
  local errors = p.stderr and async(read_beside, p.stderr, ctx)
  if p.stdin then write_all(p.stdin, input or "", ctx) end
  local stdout, stderr
  if out then stdout, err, code = out:await(ctx) end
  if errors then
    local text_of, why, what = errors:await(ctx)
    stderr, err, code = text_of, err or why, code or what
  end
  local result = p:wait(ctx)
  if ctx and ctx:err() then return nil, ctx:err() end
  if not result or (out and not stdout) or (errors and not stderr) then return nil, err, code end
  result.stdout, result.stderr = stdout, stderr
  return result
end

-- Those that are open still, as a task that reads or writes was cut off or had no memory.
local function close_pipes(p, ...)
  for _, name in each, STREAMS do
    if p[name] then p[name]:close() end
  end
  return ...
end

-- Runs a command to its end, as `start` (without `input` it has no stdin; stdout and stderr are
-- pipes): {code=, signal=, stdout=, stderr=}, these as strings. nil and ctx:err() when that ended
-- it.
---@param opts table
---@return {code?: integer, signal?: string, stdout?: string, stderr?: string}?, string?, string?
function process.run(opts)
  local input = type(opts) == "table" and input_of(opts) or nil
  local p, err, code = start(opts, "run", { input and "pipe" or "null", "pipe", "pipe" })
  if not p then return nil, err, code end
  return or_kill(p[0], close_pipes(p, pcall(finish_run, p, opts, input)))
end

return process
