-- SPDX-License-Identifier: MIT
-- weft.fs.walk: all that is below a folder, in the order of the names, a folder before what is in
-- it. Folders that come next are listed ahead.
local _, raw = ...

local feed = raw.import "feed"
local async = raw.import("future").async
local ipairs, setmetatable = ipairs, setmetatable

local function join(dir, name) return (dir:sub(-1) == "/" and dir or dir .. "/") .. name end

local function id_of(st) return st.dev .. ":" .. st.ino end

-- The walk of one channel: fs, ctx, follow, limit; ahead: how many lists are under way; above: the
-- folders that it is in, by their ids, as links may lead back to one.
local Walk = {}
Walk.__index = Walk

-- What a link leads to; a folder that it is in is not entered again.
function Walk:resolve(entry)
  local st, err, code = self.fs.stat(entry.path, self.ctx)
  if not st then
    if code == "ENOENT" or code == "ELOOP" then return true end  -- leads nowhere
    return nil, err
  end
  entry.type = st.type
  entry.id = st.type == "directory" and id_of(st) or nil
  entry.again = entry.id and self.above[entry.id]
  return true
end

-- Begins to list folders of this one, as many as may be.
function Walk:look_ahead(list, from)
  for i = from, #list do
    if self.ahead >= self.limit then return end
    local entry = list[i]
    if entry.type == "directory" and not entry.list then
      self.ahead = self.ahead + 1
      entry.list = async(self.fs.list, entry.path, self.ctx)
    end
  end
end

-- What is in a folder, and its id where links are followed.
function Walk:list(dir)
  local list, err, code
  if dir.list then
    list, err, code = dir.list:await()
    self.ahead = self.ahead - 1
    dir.list = nil
  else
    list, err, code = self.fs.list(dir.path, self.ctx)
  end
  if not list then return nil, err, code end
  for _, entry in ipairs(list) do
    entry.path = join(dir.path, entry.name)
    entry.name = nil
  end
  return list
end

function Walk:enter(dir)
  if self.follow and not dir.id then
    local st, err, code = self.fs.stat(dir.path, self.ctx)
    if not st then return nil, err, code end
    dir.id = id_of(st)
  end
  local list, err, code = self:list(dir)
  if not list then return nil, err, code end
  if dir.id then self.above[dir.id] = true end
  return { dir = dir, list = list, at = 0 }
end

function Walk:run(root, send)
  local level, err = self:enter { path = root }
  if not level then return nil, err end
  local stack = { level }
  while level do
    local at = level.at + 1
    level.at = at
    local entry = level.list[at]
    if not entry then
      if level.dir.id then self.above[level.dir.id] = nil end
      stack[#stack] = nil
      level = stack[#stack]
    else
      level.list[at] = false
      if self.follow and entry.type == "link" then
        local ok, why = self:resolve(entry)
        if not ok then return nil, why end
      end
      local sent
      sent, err = send({ path = entry.path, type = entry.type })
      if not sent then return nil, err end
      if entry.type == "directory" and not entry.again then
        local below, code
        below, err, code = self:enter(entry)
        if below then
          level = below
          stack[#stack + 1] = below
          if self.limit > 1 then self:look_ahead(below.list, 1) end
        elseif code ~= "ENOENT" then  -- else it is gone by now
          return nil, err
        end
      end
    end
  end
  return true
end

return function(fs, dir, follow, limit, ctx)
  return (feed(ctx, 0, function(send, inner)
    local walk = setmetatable({ fs = fs, ctx = inner, follow = follow, limit = limit, ahead = 0,
      above = {} }, Walk)
    return walk:run(dir, send)
  end))
end
