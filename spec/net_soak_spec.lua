-- SPDX-License-Identifier: MIT
-- Subject: runtime/io/stream.c
-- Two thousand clients that do what clients do, for five minutes; without WEFT_LONG a few hundred
-- for some seconds.

local proc = require 'support.proc'

describe('a server', function()
  it('minds no client: no answer is missing, nothing is left behind', function()
    local long = os.getenv 'WEFT_LONG'
    local seconds, clients = long and 300 or 3, long and 2000 or 200
    local script = debug.getinfo(1, 'S').source:match('^@(.*)spec/[^/]*$') ..
      'spec/torture/net_soak.lua'
    local r = proc.weft({ script, tostring(seconds), tostring(clients) },
      { before = 'ulimit -n 8000;', seconds = seconds * 2 + 60 })
    assert.are.same({ 0, 'fine' }, { r.status, r.out:match '(%a+)\n$' or r.err .. r.out })
  end)
end)
