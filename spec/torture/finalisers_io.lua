-- SPDX-License-Identifier: MIT
-- arg: a seed. Tasks do whatever there is to do with connections and files, and so do finalisers
-- of scripts, which run wherever memory is taken. What comes of it does not matter here: memory is
-- to stay whole (asan, torture), and the program to end.
local weft = require 'weft'
local buffer = require 'string.buffer'
local net, fs, context = weft.net, weft.fs, weft.context

math.randomseed(tonumber(arg[1]))
local random = math.random
local function any(t) return t[random(#t)] end

local dir = assert(fs.temp_dir())
local address = dir .. '/s'
local text, buf = ('line\n'):rep(20000), buffer.new()
local files, conns, others = {}, {}, {}

local function open(i)
  files[i] = assert(fs.open(dir .. '/f' .. i, 'w+'))
  files[i]:write(text:sub(1, 2500))
  files[i]:seek('set', 0)
end

local function dial(i)
  local c = net.dial('unix', address)
  if not c then return end
  c:set_timeout(0.01)
  conns[i] = c
end

local l = assert(net.listen('unix', address))
weft.go(function()
  for c in l do
    c:set_timeout(0.01)
    others[#others + 1] = c
  end
end)
for i = 1, 3 do
  open(i)
  dial(i)
end
while #others < 3 do weft.sleep(0.001) end
local u = assert(net.udp '127.0.0.1:0')
local changes = fs.watch(dir)

local ops = {
  function() return any(conns):read(random(100)) end,
  function() return any(conns):read_line() end,
  function() return any(conns):read_until('e\nl', 1000) end,
  function() return any(conns):read_exactly(random(50)) end,
  function() return any(conns):read_into(buf) end,
  function() return any(others):write(text) end,
  function() return any(others):write('l', 1, 'ine\n', 3.5) end,
  function() return any(others):write_from(buf:put 'line\n') end,
  function() buf:reset() end,
  function() return random(10) == 1 and any(conns):close() end,
  function() return random(20) == 1 and any(others):close() end,
  function() return tostring(any(conns)), any(conns):context() end,
  function() dial(random(3)) end,
  function()
    for _ in any(files):lines() do
      if random(10) == 1 then break end
    end
  end,
  function() return any(files):read(random(3000)) end,
  function() return any(files):seek('set', random(3000)) end,
  function() return any(files):read_at(random(3000), random(100)) end,
  function() return any(files):write 'x\n' end,
  function()
    local i = random(3)
    if random(10) > 1 then return end
    files[i]:close()
    open(i)
  end,
  function() return fs.read_file(dir .. '/f1') end,
  function() return fs.stat(dir) end,
  function() return fs.list(dir) end,
  function() return u:send(text:sub(1, random(500)), u:addr()) end,
  function() return u:recv(500, (context.with_timeout(context.background(), 0.01))) end,
  function() return changes and changes:try_recv() end,
  function() return net.lookup '127.0.0.1' end,
}

local depth, over = 0, false
local function arm()
  getmetatable(newproxy(true)).__gc = function()
    if over then return end
    if depth < 2 then
      depth = depth + 1
      pcall(any(ops))
      depth = depth - 1
    end
    arm()
  end
end
for _ = 1, 12 do arm() end
collectgarbage('setpause', 100)
collectgarbage('setstepmul', 400)
collectgarbage()  -- at whose end they begin to count

local tasks = weft.sync.waitgroup()
for _ = 1, 5 do
  tasks:go(function()
    for _ = 1, 100 do pcall(any(ops)) end
  end)
end
tasks:wait()
over = true
fs.remove(dir, { recursive = true })
print 'over'
