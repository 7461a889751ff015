-- SPDX-License-Identifier: MIT
-- Subject: runtime/io/intake.c runtime/io/file_read.c
-- Clock: real
-- Finalisers of scripts run wherever memory is taken, also while a string is made of what has been
-- read, and may use what it is read from.

local proc = require 'support.proc'

-- `use` is what they do; each makes the next one.
local ARM = [[
  local weft = require 'weft'
  local net, fs = weft.net, weft.fs
  local COUNT = tonumber(arg[2])
  local use
  local runs = 0
  local function arm()
    getmetatable(newproxy(true)).__gc = function()
      runs = runs + 1
      use()
      arm()
    end
  end
  local function begin()
    for _ = 1, 20 do arm() end
    collectgarbage('setpause', 10)
    collectgarbage('setstepmul', 10000)
    collectgarbage()  -- at whose end they begin to count
  end
  -- Those of 1 to COUNT that were not seen once.
  local seen, twice = {}, 0
  local function see(line)
    local n = tonumber(line)
    if seen[n] then twice = twice + 1 end
    seen[n] = true
  end
  local function finish()
    local lost = 0
    for i = 1, COUNT do
      if not seen[i] then lost = lost + 1 end
    end
    print(lost, twice, runs > 0)
  end
]]

local function prints(code, expected)
  local dir, clean = proc.temp_dir()
  local count = tostring(proc.torture() and 2000 or 20000)
  local r = proc.run(ARM .. code, { args = { dir, count } })
  clean()
  assert.are.equal('', r.err)
  assert.are.equal(expected, r.out)
  assert.are.equal(0, r.status)
end

describe('a finaliser', function()
  it('may read from the connection', function()
    prints([[
      local l = assert(net.listen('tcp', '127.0.0.1:0'))
      weft.go(function()
        local s = l:accept()
        local lines = {}
        for i = 1, COUNT do lines[i] = i .. '\n' end
        s:write(table.concat(lines))
        s:close()
      end)
      local c = assert(net.dial('tcp', l:addr()))
      function use()
        local ok, line = pcall(c.read_line, c)  -- not from where it is read anyway
        if ok and line then see(line) end
      end
      begin()
      for line in function() return c:read_line() end do see(line) end
      finish()
    ]], '0\t0\ttrue\n')
  end)

  it('may close the connection', function()
    prints([[
      local l = assert(net.listen('unix', arg[1] .. '/s'))
      local c, other = nil, 0
      weft.go(function()
        while true do
          local s = l:accept()
          if not s then return end
          s:write(('x'):rep(100) .. '\n', ('y'):rep(100) .. '\n')
          s:close()
        end
      end)
      function use()
        if c then c:close() end
      end
      begin()
      for i = 1, COUNT / 10 do
        local mine = assert(net.dial('unix', arg[1] .. '/s'))
        c = mine
        local line, err = mine:read_line()
        c = nil
        if line ~= ('x'):rep(100) and err ~= 'closed' then other = other + 1 end
        mine:close()
      end
      l:close()
      print(other, runs > 0)
    ]], '0\ttrue\n')
  end)

  it('may read lines of the file', function()
    prints([[
      local lines = {}
      for i = 1, COUNT do lines[i] = i .. '\n' end
      assert(fs.write_file(arg[1] .. '/f', table.concat(lines)))
      local f = assert(fs.open(arg[1] .. '/f'))
      local next_line = f:lines()
      function use()
        local ok, line = pcall(next_line)
        if ok and line then see(line) end
      end
      begin()
      for line in f:lines() do see(line) end
      finish()
    ]], '0\t0\ttrue\n')
  end)

  it('may do anything', function()
    local first = proc.seed() or os.time()
    for seed = first, first + proc.much(4, 100, 'asan') - 1 do
      local r = proc.weft { 'spec/torture/finalisers_io.lua', tostring(seed) }
      assert.are.same({ seed, 'over\n', '', 0 }, { seed, r.out, r.err, r.status })
    end
  end)
end)
