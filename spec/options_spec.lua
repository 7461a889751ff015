-- SPDX-License-Identifier: MIT
-- The command's options: those that cli_spec.lua has not got.

local proc = require 'support.proc'

local function output(args, opts)
  local r = proc.weft(args, opts)
  assert.same({ 0, '' }, { r.status, r.err })
  return r.out
end

describe('--seed', function()
  it('makes the choices of select repeatable', function()
    local function choices(...)
      local args = { ... }
      -- the torture build's processes share one seed
      local opts = { env = 'env -u WEFT_TORTURE_SEED' }
      args[#args + 1] = '-e'
      args[#args + 1] = [[
        local weft = require 'weft'
        local a, b = weft.chan(200), weft.chan(200)
        for i = 1, 200 do a:send(i) b:send(i) end
        for _ = 1, 200 do io.write((weft.select(a, b))) end
      ]]
      return output(args, opts)
    end
    local first = choices('--seed', '7')
    assert.equals(200, #first)
    assert.equals(first, choices('--seed', '7'))
    assert.equals(first, choices('--seed=7'))
    assert.is_not.equals(first, choices('--seed', '8'))
    assert.is_not.equals(choices(), choices())
  end)

  it('refuses what is no number', function()
    for _, seed in ipairs { 'x', '-1', '1.5', '7x', '' } do
      local r = proc.weft { '--seed', seed, '-e', '' }
      assert.same({ 1, '' }, { r.status, r.out })
      assert.is_truthy(r.err:match('^[^\n]*seed[^\n]*\n$'))
    end
  end)
end)

describe('-l', function()
  it('several times requires several modules, in order', function()
    local dir, clean = proc.temp_dir()
    for _, name in ipairs { 'wf_a', 'wf_b', 'wf_c' } do
      proc.write_file(dir .. '/' .. name .. '.lua', "io.write(..., ' ')")
    end
    local out = output({ '-l', 'wf_b', '-l', 'wf_a', '-l', 'wf_c', '-l', 'wf_b', '-e',
      "print 'script'" },
      { before = 'export LUA_PATH=' .. proc.quote(dir .. '/?.lua;;') .. ';' })
    clean()
    assert.equals('wf_b wf_a wf_c script\n', out)
  end)
end)

describe('-e', function()
  it('has its own place in arg', function()
    if proc.memcheck() then pending 'valgrind is started instead' end
    local out = output { '-e', 'for i = -3, 3 do io.write(tostring(arg[i]), "|") end', 'x', '-e' }
    assert.equals(('nil|%s|-e|'):format(proc.bin), out:match('^nil|[^|]*|[^|]*|'))
    assert.equals('x|-e|nil|', out:match('[^|]*|[^|]*|[^|]*|$'))
  end)
end)
