-- SPDX-License-Identifier: MIT
-- serve-echo.lua with a string for each message, as scripts mostly have it.
local folder = debug.getinfo(1, "S").source:match "^@(.*/)"

local function by_string()
  return function(conn)
    while true do
      local data = conn:read()
      if not data or not conn:write(data) then break end
    end
    conn:close()
  end
end

return dofile(folder .. "serve-echo.lua").with(by_string)
