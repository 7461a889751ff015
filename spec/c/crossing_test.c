// SPDX-License-Identifier: MIT
// Runs the Lua files of crossing/ in one VM; what they send is run in another.
// Subject: runtime/task/codec.c runtime/task/closure.c runtime/conc/stub.c runtime/task/cycles.c
// Subject: runtime/task/record.c lua/weft/internal/record.lua
#include <lauxlib.h>
#include <stdlib.h>

#include "../embed/check.h"
#include "two_vms.h"

static void run(const char *path) {
  weft *here = two_vms_open(NULL), *there = two_vms_open(NULL);
  two_vms_connect(here, there);
  weft_status status = weft_load_file(here, path);
  if (status == WEFT_OK) status = weft_run(here);
  CHECK(status == WEFT_OK);
  if (status == WEFT_ERR_LOAD) (void)fprintf(stderr, "%s\n", weft_error(here));
  lua_getglobal(weft_lua(here), "passed");
  check_passed += (int)lua_tointeger(weft_lua(here), -1);
  CHECK(lua_tointeger(weft_lua(here), -1) > 0);
  CHECK(lua_gettop(weft_lua(there)) == 0);
  // In either order.
  weft_close(there);
  weft_close(here);
}

int main(void) {
  run("spec/c/crossing/values.lua");
  run("spec/c/crossing/functions.lua");
  run("spec/c/crossing/effects.lua");
  run("spec/c/crossing/channels.lua");
  run("spec/c/crossing/records.lua");
  run("spec/c/crossing/garbage.lua");
  return check_done();
}
