-- SPDX-License-Identifier: MIT
-- Counts lines, words and bytes of the files under a directory (default: /usr/share/doc):
--
--     walk ──paths──> 4 x read ──texts──> count on every core ──tallies──> merge
--
-- Reading waits, so it is for tasks of this VM. Counting computes: its tasks are isolated, on all
-- cores (`weft --workers N`: on so many), and texts and tallies are copied on their way.
-- The totals are those of `LC_ALL=C wc` (GNU coreutils 9.1): a word stands between white space and
-- has a printable ASCII character in it. The commonest words are runs of letters, in lower case.
-- Compressed files are left out, links are not followed. A file that cannot be read is reported
-- and skipped; the status is then 1, as wc's is. Every channel is bounded, so memory is, too.

package.path = arg[0]:gsub("[^/]*$", "?.lua;") .. package.path -- lib/ is beside this file
local weft, sync, fs = require "weft", require "weft.sync", require "weft.fs"
local tree, words = require "lib.tree", require "lib.words"
local READERS, COUNTERS, BLOCK = 4, weft.nworkers(), 65536
local root, files, skipped = arg[1] or "/usr/share/doc", 0, 0

local function walk(names, paths)
  for path in names do
    paths:send(path)
  end
  paths:close()
end

local function read(paths, texts)
  for path in paths do
    local file, err = fs.open(path)
    if file then
      local rest = ""
      repeat
        local block
        block, err = file:read(BLOCK + #rest)
        if err == "eof" then
          err = nil
        end
        rest = rest .. (block or "")
        local stop = block and (rest:match "^.*%s()" or 1) or #rest + 1 -- cut between two words
        texts:send(rest:sub(1, stop - 1))
        rest = rest:sub(stop)
      until not block
      file:close()
      files = files + 1
    end
    if err then
      skipped = skipped + 1
      io.stderr:write("skipped ", err:gsub("%c", "?"), "\n")
    end
  end
end

local function count(texts, tallies)
  local tally = words.tally()
  for text in texts do
    words.count(tally, text)
  end
  tallies:send(tally)
end

local names, why = tree.files(root)
if not names then
  io.stderr:write("file_words: ", why, "\n")
  os.exit(1)
end

local paths, texts, tallies = weft.chan(64), weft.chan(2 * COUNTERS), weft.chan()
local readers, total = sync.waitgroup(), words.tally()
weft.go(walk, names, paths)
for _ = 1, READERS do
  readers:go(read, paths, texts)
end
for _ = 1, COUNTERS do
  weft.spawn(count, texts, tallies)
end
readers:wait()
texts:close() -- several senders: closed once, by whoever has waited for them all
for _ = 1, COUNTERS do
  words.add(total, tallies:recv())
end
print(("%d files under %s, %d skipped"):format(files, root:gsub("%c", "?"), skipped))
print(("%10d lines\n%10d words\n%10d bytes"):format(total.lines, total.words, total.bytes))
for _, word in ipairs(words.commonest(total, 10)) do
  print(("%10d %s"):format(total.times[word], word))
end
if skipped > 0 then os.exit(1) end
