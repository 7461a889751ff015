-- SPDX-License-Identifier: MIT
std = "luajit"
max_line_length = 99
codes = true
cache = false
-- A method that does not need `self`, and a loop that needs only its count, are both common.
self = false
-- 581: `not (x > y)` is meant: it is true for NaN.
ignore = { "212/_.*", "213/_.*", "581" }

files["spec"] = { std = "luajit+busted" }
-- What runs on both sides of a crossing: globals that cross are the subject, and of two VMs each
-- has its own of what has the same name.
files["spec/c/crossing"] = {
  ignore = { "111", "112", "113", "121", "142", "143", "241", "311", "431" },
}
files["spec/fuzz"] = { globals = { "roundtrip", "pass" } }
-- The settings of luacheck themselves are globals.
files[".luacheckrc"] = { ignore = { "111", "112", "131" } }
-- weft's own versions of these take the place of Lua's, so that tasks may block inside.
files["lua/weft/internal/coroutine.lua"] = { globals = { "coroutine" } }
files["lua/weft/internal/require.lua"] = { globals = { "require", "dofile" } }
