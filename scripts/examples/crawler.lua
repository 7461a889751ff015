-- SPDX-License-Identifier: MIT
-- Walks over a site by its links, several pages at a time, none twice, and no deeper than a limit.
--
-- The site is a table here, and fetching takes its time. The map of visited pages needs no lock:
-- between two calls that may wait nothing else runs. Links are followed in tasks of one errgroup,
-- which ends when no task is left; a channel of a few places bounds how many fetch at a time. (The
-- group's own limit would not do: tasks that start tasks would wait for each other's places.)

local weft = require "weft"
local context, errgroup = weft.context, weft.errgroup

local AT_ONCE = 3

local site = {
  ["/"] = { "/about", "/blog", "/shop" },
  ["/about"] = { "/", "/team" },
  ["/team"] = { "/about", "/blog/1" },
  ["/blog"] = { "/blog/1", "/blog/2", "/blog/3" },
  ["/blog/1"] = { "/blog/2" },
  ["/blog/2"] = { "/blog/3", "/blog/4" },
  ["/blog/3"] = { "/blog", "/missing" },
  ["/blog/4"] = { "/archive" },
  ["/archive"] = {},
  ["/shop"] = { "/", "/shop/teapot" },
  ["/shop/teapot"] = { "/shop" },
}

local fetching, most = 0, 0
local function fetch(ctx, page)
  fetching = fetching + 1
  most = math.max(most, fetching)
  local ok, err = weft.sleep(0.002, ctx)
  fetching = fetching - 1
  if not ok then return nil, err end
  return site[page], "404"
end

local function crawl(parent, start, max_depth)
  local group, ctx = errgroup.with_context(parent)
  local places, seen, found = weft.chan(AT_ONCE), {}, {}
  local function visit(page, depth)
    if seen[page] or depth > max_depth then return end
    seen[page] = true
    group:go(function()
      local ok, err = places:send(true, ctx)
      if not ok then return nil, err end
      local links, why = fetch(ctx, page)
      places:recv()
      if ctx:err() then return nil, why end -- else a bad link is no reason to stop
      found[#found + 1] = links and page or page .. " (" .. why .. ")"
      for _, link in ipairs(links or {}) do visit(link, depth + 1) end
    end)
  end
  visit(start, 0)
  local ok, err = group:wait()
  table.sort(found)
  return ok and found, err
end

for depth = 0, 2 do
  local found = assert(crawl(context.background(), "/", depth))
  print(("depth %d: %d pages: %s"):format(depth, #found, table.concat(found, " ")))
end
print(("never more than %d at a time: %s"):format(AT_ONCE, tostring(most <= AT_ONCE)))
local _, err = crawl(context.with_timeout(context.background(), 0.003), "/", 9)
print("in 3 ms: " .. tostring(err))
