-- SPDX-License-Identifier: MIT
-- Subject: runtime/io/stream.c
-- A few hundred clients that do what clients do, for some seconds; with WEFT_LONG two thousand for
-- half a minute, in the asan build for five.

local proc = require 'support.proc'

describe('a server', function()
  it('minds no client: no answer is missing, nothing is left behind', function()
    local seconds, clients = proc.much(3, 300, 'asan'), os.getenv 'WEFT_LONG' and 2000 or 200
    local script = debug.getinfo(1, 'S').source:match('^@(.*)spec/[^/]*$') ..
      'spec/torture/net_soak.lua'
    local r = proc.weft({ script, tostring(seconds), tostring(clients) },
      { before = 'ulimit -n 8000;', seconds = seconds * 2 + 60 })
    assert.are.same({ 0, 'fine' }, { r.status, r.out:match '(%a+)\n$' or r.err .. r.out })
  end)
end)
