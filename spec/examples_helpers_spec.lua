-- SPDX-License-Identifier: MIT
-- The scripts of scripts/examples that show the structured helpers: what they print. Those that
-- are about time run on the virtual clock, which is exact about it.

local proc = require 'support.proc'
local examples = require 'support.examples'

local VIRTUAL = { '--clock=virtual' }

local function prints(name, expected, options)
  assert.same(expected, examples.output(name, options))
end

describe('example', function()
  it('pipeline ends without tasks left, in each of its ways', function()
    prints('pipeline', {
      '63 numbers up to 300 take more than 100 steps, at most 127; tasks left: 0',
      'the first are 27, 31 and 41; tasks left: 0',
      'with a bad number: nil, too large: 9.007199254741e+15; tasks left: 0',
    })
  end)

  it('rate_limit keeps the limit', function()
    prints('rate_limit', {
      '20 calls waited for their turn; the limit was kept: true',
      'with 20 ms to spare for 4 tokens: nil, context deadline exceeded',
      '10 calls were dropped',
    }, VIRTUAL)
  end)

  it('dispatch looks up all at once, and gives up when one fails', function()
    local expected = {
      'Ada takes 3 kg to Harbour 1 over the bridge',
      '  courier: given up, as there is no parcel 43',
      '  route: given up, as there is no parcel 43',
      'nil\tthere is no parcel 43',
      '  courier: given up, as the customer has hung up',
      '  parcel: given up, as the customer has hung up',
      '  route: given up, as the customer has hung up',
      'nil\tnot looked up',
    }
    table.sort(expected)
    assert.same(expected, examples.output('dispatch', VIRTUAL, true))
  end)

  it('singleflight asks once for a hundred', function()
    prints('singleflight', {
      '100 times: the shop is closed',
      'the shop has been asked 1 times',
      '100 times 60, 100 of them shared',
      'the shop has been asked 2 times',
      '100 times 60, 0 of them shared',
      'the shop has been asked 2 times',
    }, VIRTUAL)
  end)

  it('retry goes on until it works, or as long as it may', function()
    prints('retry', {
      'answer\t3',
      'nil\tstill down at attempt 4\t4',
      'context deadline exceeded',
      'most clients in one millisecond: fewer with jitter: true',
    }, VIRTUAL)
  end)

  it('livelock goes on for ever, and then does not', function()
    prints('livelock', {
      'both always step aside: still there after 1000 steps',
      'both toss a coin: got past',
    })
  end)

  it('load_shed lets in as many as there is room for', function()
    local out = examples.output('load_shed', VIRTUAL)
    -- Where every poll that finds nothing lets others run, some are served meanwhile.
    if proc.torture() then
      local accepted, rejected = out[2]:match '^500 requests at once: (%d+) accepted, (%d+) reje'
      assert.equals(500, accepted + rejected)
      assert.is_true(accepted + 0 >= 16 and rejected + 0 > 0, out[2])
      return
    end
    assert.same({
      ' 10 requests at once: 10 accepted, 0 rejected',
      '500 requests at once: 20 accepted, 480 rejected',
      ' 16 requests at once: 16 accepted, 0 rejected',
      '46 served; nobody who was let in waited for long: true',
    }, out)
  end)

  for _, workers in ipairs { '1', '4' } do
    it('sharded_state has an owner for each account: workers ' .. workers, function()
      prints('sharded_state', {
        'owner 1 has 229 of 1000 accounts',
        'owner 2 has 237 of 1000 accounts',
        'owner 3 has 273 of 1000 accounts',
        'owner 4 has 261 of 1000 accounts',
        '10000 payments make 495000',
        'a fifth owner takes over 205 accounts; moved elsewhere: 0',
      }, { '--workers', workers })
    end)
  end

  it('callback_to_channel sends what it is called with', function()
    prints('callback_to_channel', {
      'name is Ada', 'born is 1815', 'city is London',
      'name is Ada', 'false\tbad part: ???',
      'false\tC-call boundary',
      'kept thequickbr, lost 6',
    })
  end)

  it('prices merges fifty streams', function()
    prints('prices', {
      '1000 prices from 50 exchanges, each in its order: true',
      'the mean of the last ones is 98.92',
      'somebody went to 110 or more: true',
      'all exchanges are closed',
    })
  end)

  it('session_sweeper sweeps who is idle, until it is told to stop', function()
    prints('session_sweeper', {
      'new: Ada', 'swept: Ada', 'new: Grace', 'new: Hedy',
      'shut down, as it is late; sessions left: 2',
    }, VIRTUAL)
  end)

  it('supervisor starts again what fails, but not for ever', function()
    prints('supervisor', {
      'run:\ttrue\tnil',
      '5 lines, though the connection was lost 2 times',
      "run:\tnil\tsupervisor: child 'database' failed, more than 2 restarts within 60 s: "
        .. 'the disk is full',
      'started: database 3, cache 3 times; tasks left: 0',
    })
  end)

  it('broadcast serves slow readers as they want', function()
    prints('broadcast', {
      'archive: all 100',
      'screen: fewer, and the last is 100',
      'sample: fewer, and the first is 1',
      'fewer: true',
      'in order: true',
      'a publisher that waited goes on: true',
    }, VIRTUAL)
  end)
end)
