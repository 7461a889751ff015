-- SPDX-License-Identifier: MIT
std = "luajit"
max_line_length = 99
codes = true
cache = false
-- A method that does not need `self`, and a loop that needs only its count, are both common.
self = false
ignore = { "212/_.*", "213/_.*" }

files["spec"] = { std = "luajit+busted" }
-- The settings of luacheck themselves are globals.
files[".luacheckrc"] = { ignore = { "111", "112", "131" } }
