-- SPDX-License-Identifier: MIT
-- Timers' channels: what stop and reset say of a tick that nobody has taken yet.

local weft = require 'weft'
local util = require 'support.util'
local time = weft.time

describe('a tick that nobody has taken', function()
  it('is stopped with its timer: stop says that it was running', function()
    for _, new in ipairs { time.timer, time.ticker } do
      local t = new(1)
      weft.sleep(1.5)
      assert.equals(1, t.c:len())
      assert.is_true(t:stop())
      assert.is_false(t:stop())
      assert.same({ 0, nil, 'empty' }, { t.c:len(), t.c:try_recv() })
    end
  end)

  it('is dropped by reset, which says that it was running', function()
    local t = time.timer(1)
    weft.sleep(1.5)
    assert.is_true(t:reset(1))
    util.near(1, (util.elapsed(t.c.recv, t.c)))
    assert.is_false(t:reset(1))
    assert.is_true(t:reset(1))
    assert.is_true(t:stop())
  end)

  it('is the last thing of a timer: once taken, stop says that it was not running', function()
    local t = time.timer(1)
    weft.sleep(1.5)
    assert.is_not_nil((t.c:try_recv()))
    assert.is_false(t:stop())
    assert.is_false(t:reset(math.huge))
    assert.is_true(t:stop())
  end)
end)
