# SPDX-License-Identifier: MIT
# cmake -DROOT=lua -DNAMES=weft/init.lua,weft/time.lua -DOUT=embedded.c -P embed.cmake
# Writes the Lua modules as C strings; runtime/base/embedded.h declares the table. Plain CMake,
# because a build must not need a LuaJIT to run.
string(REPLACE "," ";" names "${NAMES}")
set(strings "")
set(table "")
set(n 0)
foreach(name IN LISTS names)
  file(READ ${ROOT}/${name} text)
  # A question mark is escaped for the sake of trigraphs, which -std=c11 knows.
  string(REPLACE "\\" "\\\\" text "${text}")
  string(REPLACE "\"" "\\\"" text "${text}")
  string(REPLACE "?" "\\?" text "${text}")
  string(REPLACE "\n" "\\n\"\n    \"" text "${text}")
  string(REGEX REPLACE "\\.lua$" "" module "${name}")
  string(REGEX REPLACE "/init$" "" module "${module}")
  string(REPLACE "/" "." module "${module}")
  string(APPEND strings "static const char lua_${n}[] = /* ${name} */\n    \"${text}\";\n\n")
  string(APPEND table "    {\"${module}\", lua_${n}, sizeof lua_${n} - 1},\n")
  math(EXPR n "${n} + 1")
endforeach()
set(head "/* Made by scripts/dev/embed.cmake. */\n#include \"base/embedded.h\"\n\n")
file(WRITE ${OUT} "${head}${strings}const struct wf_embedded wf_embedded[] = {\n${table}"
                  "    {NULL, NULL, 0},\n};\n")
