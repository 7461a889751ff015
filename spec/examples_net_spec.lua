-- SPDX-License-Identifier: MIT
-- The scripts of scripts/examples that talk over sockets: what they print.

local examples = require 'support.examples'

local function prints(name, expected) assert.same(expected, examples.output(name)) end

describe('example', function()
  it('echo serves its clients to the end', function()
    prints('echo', { 'ann 1, ann 2, ann 3', 'bob 1, bob 2, bob 3', 'eve 1, eve 2, eve 3',
      'served to the end: true' })
  end)

  it('graceful_server finishes what is in time, and nothing else', function()
    prints('graceful_server', { 'stopping: SIGTERM', 'quick: done 0.1',
      'new:   refused: ECONNREFUSED', 'gave up on 60: context canceled', 'slow:  cut off',
      'server: 1 connection cut off' })
  end)

  it('api_gateway answers without its slow backend', function()
    prints('api_gateway', {
      'user-of-1 | orders-of-1 | no stock (context deadline exceeded)',
      'user-of-2 | orders-of-2 | no stock (context deadline exceeded)',
      'cancelled: stock',
    })
  end)

  it('log_ingest flushes full batches, and what there is in time', function()
    prints('log_ingest', { 'flushed: full', 'flushed: time', 'flushed: time',
      '7 entries, 2 bad lines' })
  end)

  it('crawler finds all pages within a depth, few at a time', function()
    prints('crawler', { '/ /a /a/1 /a/2 /b /b/1 /deep /nowhere',
      'failed: /nowhere: no such page', 'at most at a time: true' })
  end)
end)
