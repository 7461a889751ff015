-- SPDX-License-Identifier: MIT
-- A crawler: follows the links of a site, each page once, no deeper than DEPTH and with no more
-- than LIMIT requests at a time. The site is a server of this program, over a small text protocol:
-- a path comes on a line, the links of that page go back, a line each, and the connection ends.

local weft = require "weft"
local net = weft.net

local DEPTH, LIMIT = 3, 3

local site = {
  ["/"] = { "/a", "/b" },
  ["/a"] = { "/", "/a/1", "/a/2" },
  ["/b"] = { "/b/1", "/nowhere" },
  ["/a/1"] = { "/a/2" },
  ["/a/2"] = { "/deep" },
  ["/b/1"] = {},
  ["/deep"] = { "/deeper" },
  ["/deeper"] = {},
}

local busy, most = 0, 0
local listener = assert(net.listen("tcp", "127.0.0.1:0"))
weft.go(net.serve, listener, function(conn)
  busy = busy + 1
  most = math.max(most, busy)
  local links = site[conn:read_line()]
  weft.sleep(0.002)
  conn:write(links and "ok\n" or "no such page\n", table.concat(links or {}, "\n"))
  busy = busy - 1
end)

-- The links of a page, or nil and why there are none.
local function fetch(path)
  local conn, err = net.dial("tcp", listener:addr(), { timeout = 5 })
  if not conn then return nil, err end
  conn:set_timeout(5)
  conn:write(path, "\n")
  local links, answer = {}, conn:read_line()
  for link in conn:lines() do links[#links + 1] = link end
  conn:close()
  if answer ~= "ok" then return nil, answer end
  return links
end

local visited, failed = {}, {}
local group, slots = weft.sync.waitgroup(), weft.chan(LIMIT)

local function visit(path, depth)
  slots:send(true) -- waits while there are as many
  local links, err = fetch(path)
  slots:recv()
  if not links then failed[#failed + 1] = path .. ": " .. err end
  for _, link in ipairs(links or {}) do
    -- Tasks of a VM share memory, and this is one step: no lock.
    if not visited[link] and depth < DEPTH then
      visited[link] = true
      group:go(visit, link, depth + 1)
    end
  end
end

visited["/"] = true
group:go(visit, "/", 0)
group:wait()

local pages = {}
for path in pairs(visited) do pages[#pages + 1] = path end
table.sort(pages)
print(table.concat(pages, " "))
print("failed: " .. table.concat(failed, "; "))
print("at most at a time: " .. tostring(most <= LIMIT))
