-- SPDX-License-Identifier: MIT
-- require by several tasks, and of itself. (What blocks while it loads: blocking_code_spec.lua.)

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'

describe('require', function()
  local modules = proc.modules()
  setup(modules.create)
  teardown(modules.remove)
  before_each(modules.find)
  after_each(modules.forget)
  local write = modules.write

  it('of a module that requires itself raises, and both ways round', function()
    write('wf_own', "local m = require 'wf_own' return m")
    write('wf_one', "require 'weft'.sleep(1) local m = require 'wf_two' return m")
    write('wf_two', "require 'weft'.sleep(1) local m = require 'wf_one' return m")
    for _, name in ipairs { 'wf_own', 'wf_one' } do
      local ok, err = pcall(require, name)
      assert.is_false(ok)
      util.has(err, ("loop or previous error loading module '%s'"):format(name), modules.dir)
    end
  end)

  it('by many tasks at once loads a module once, and all get it', function()
    write('wf_many', "wf_loads = (wf_loads or 0) + 1 require 'weft'.sleep(1) return {}")
    local futures, got = {}, {}
    for i = 1, 5 do futures[i] = weft.async(require, 'wf_many') end
    for i = 1, 5 do got[(futures[i]:await())] = true end
    assert.equals(1, rawget(_G, 'wf_loads'))
    rawset(_G, 'wf_loads', nil)
    assert.equals(package.loaded.wf_many, next(got))
    assert.is_nil(next(got, next(got)))
  end)

  it('by many tasks at once of a module that fails: each tries in its turn', function()
    write('wf_flaky', [[
      wf_tries = (wf_tries or 0) + 1
      require 'weft'.sleep(1)
      if wf_tries < 3 then error 'not yet' end
      return 'at last'
    ]])
    local futures, got, failed = {}, 0, 0
    for i = 1, 5 do futures[i] = weft.async(require, 'wf_flaky') end
    for i = 1, 5 do
      local ok, v = futures[i]:try()
      if ok and v == 'at last' then got = got + 1 else failed = failed + 1 end
    end
    rawset(_G, 'wf_tries', nil)
    assert.same({ 3, 2 }, { got, failed })
  end)
end)
