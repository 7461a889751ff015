-- SPDX-License-Identifier: MIT
-- The files of a directory tree, for file_words.lua. weft has no file library yet, so `find` does
-- the walking; while its pipe is read, the other tasks stand still.

local M = {}

local PACKED = "gz bz2 xz zst zip lz lz4 lzma Z 7z tgz tbz2 txz"

-- An iterator over the paths of all regular files under root that are not compressed, in no
-- particular order; links are not followed. nil and the reason when root is no readable directory.
function M.files(root)
  local dir, why = io.open(root ~= "" and root .. "/." or root)
  if not dir then
    return nil, ("cannot walk '%s':%s"):format(root, why:match "[^:]*$")
  end
  dir:close()

  local name = root:gsub("^[^/.]", "./%0") -- find must not take it for an option
  local command = "find -H '" .. name:gsub("'", "'\\''") .. "' -type f"
  for suffix in PACKED:gmatch "%w+" do
    command = command .. " ! -name '*." .. suffix .. "'"
  end
  return coroutine.wrap(function()
    local rest = ""
    for names in io.popen(command .. " -print0"):lines(4096) do
      names = rest .. names
      for path in names:gmatch "([^%z]+)%z" do -- a name holds anything but a zero byte
        coroutine.yield(path)
      end
      rest = names:match "[^%z]*$" -- the beginning of the next name
    end
  end)
end

return M
