// SPDX-License-Identifier: MIT
// The smallest useful host: C functions for scripts, a script with tasks, its end.
#include <lauxlib.h>
#include <stdio.h>
#include <weft.h>

static int sum;

// add(n): what the script wants from its host.
static int add(lua_State *L) {
  sum += (int)luaL_checkinteger(L, 1);
  return 0;
}

static const char script[] =
    "local weft = require 'weft'\n"
    "local numbers = weft.chan()\n"
    "weft.go(function() for i = 1, 10 do numbers:send(i) end numbers:close() end)\n"
    "for n in numbers do add(n) end\n";

int main(void) {
  weft *w = NULL;
  if (weft_open(NULL, &w) != WEFT_OK) return 1;
  lua_register(weft_lua(w), "add", add);
  weft_status status = weft_load_string(w, script, "=script");
  if (status == WEFT_OK) status = weft_run(w);
  if (status != WEFT_OK) (void)fprintf(stderr, "%s\n", weft_error(w));
  weft_close(w);
  return status == WEFT_OK && sum == 55 ? 0 : 1;
}
