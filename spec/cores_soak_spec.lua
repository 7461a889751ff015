-- SPDX-License-Identifier: MIT
-- Subject: runtime/sched/workers.c
-- Random programs over all that crosses between cores, for two seconds; with WEFT_LONG for a
-- minute, on four workers in the tsan build for ten. (That alone: WEFT_LONG=1 WEFT_WORKERS=4
-- scripts/dev/specs.sh cores tsan soak.)

local proc = require 'support.proc'

describe('random programs on several cores', function()
  it('go well, and leave nothing behind', function()
    local seconds = proc.much(2, 600, os.getenv 'WEFT_WORKERS' == '4' and 'tsan')
    local script = debug.getinfo(1, 'S').source:match('^@(.*)spec/[^/]*$') ..
      'spec/torture/cores_soak.lua'
    -- What glibc keeps for each thread counts as used.
    local r = proc.weft({ script, tostring(seconds), tostring(proc.seed() or 1) }, {
      env = 'GLIBC_TUNABLES=glibc.malloc.tcache_count=0', seconds = seconds * 2 + 120 })
    assert.are.same({ 0, 'fine' }, { r.status, r.out:match '(%a+)\n$' or r.err .. r.out })
  end)
end)
