-- SPDX-License-Identifier: MIT
-- Other people's libraries give inside tasks what they give under plain luajit. The workloads of
-- spec/thirdparty go through most functions of lua-cjson, LPeg and Penlight and write down what
-- comes out. Under weft all of them run at once, each as four tasks of different styles that
-- block between the library's calls and inside of callbacks, also in coroutines.
-- Subject: runtime/lib/coroutine.c, runtime/task/park.c

local proc = require 'support.proc'

local WORKLOADS = {
  'cjson_workload', 'lpeg_workload', 'lpeg_grammar_workload', 'pl_class_workload',
  'pl_data_workload', 'pl_lexer_workload', 'pl_list_workload', 'pl_map_workload',
  'pl_path_workload', 'pl_seq_workload', 'pl_tablex_workload', 'pl_text_workload',
  'pl_xml_workload',
}
local STYLES = { 'yielding', 'sending', 'generating', 'nested' }

local driver = debug.getinfo(1, 'S').source:match('^@(.-)[^/]*$') .. 'thirdparty/driver.lua'
local quote = proc.quote

local function shell(interpreter, mode, dir, names)
  local words = { quote(interpreter), quote(driver), mode, quote(dir), unpack(names) }
  return proc.shell(table.concat(words, ' '), { env = 'TZ=UTC LC_ALL=C', seconds = 300 })
end

-- The transcripts that a process writes: by name and style.
local function transcripts(interpreter, mode, names, styles)
  local dir, remove = proc.temp_dir()
  local r = shell(interpreter, mode, dir, names)
  local texts = {}
  for _, name in ipairs(names) do
    texts[name] = {}
    for _, style in ipairs(styles) do
      local f = io.open(('%s/%s.%s'):format(dir, name, style), 'rb')
      texts[name][style] = f and f:read '*a'
      if f then f:close() end
    end
  end
  remove()
  return texts, r
end

local plain = {}
local function under_luajit(name)
  if not plain[name] then
    local texts, r = transcripts('luajit', 'plain', { name }, { 'plain' })
    assert(r.status == 0 and r.err == '', 'luajit: ' .. r.err)
    plain[name] = texts[name].plain
    assert(plain[name]:match '\nended\n$', 'luajit: ' .. plain[name]:sub(-2000))
  end
  return plain[name]
end

local runs = {}
local function under_weft(mode)
  if not runs[mode] then
    local texts, r = transcripts(proc.bin, mode, WORKLOADS, STYLES)
    runs[mode] = { texts = texts, result = r }
  end
  return runs[mode]
end

local function first_difference(expected, got)
  local a, b = expected:gmatch '([^\n]*)\n', got:gmatch '([^\n]*)\n'
  for line = 1, math.huge do
    local one, two = a() or 'nothing more', b() or 'nothing more'
    if one ~= two or one == 'nothing more' then
      return ('line %d\n  luajit: %s\n  weft:   %s'):format(line, one, two)
    end
  end
end

for _, mode in ipairs { 'tasks', 'interpreted' } do
  describe('third-party libraries, ' .. mode, function()
    it('run to their end, all at once', function()
      local r = under_weft(mode).result
      assert.same({ '', '', 0 }, { r.out, r.err, r.status })
    end)

    for _, name in ipairs(WORKLOADS) do
      for _, style in ipairs(STYLES) do
        it(('%s: what luajit gives, %s'):format(name, style), function()
          local expected, got = under_luajit(name), under_weft(mode).texts[name][style]
          assert(got, 'the task did not end')
          if got ~= expected then error(first_difference(expected, got), 0) end
        end)
      end
    end
  end)
end
