// SPDX-License-Identifier: MIT
// weft_config.keep_free: the host's thread runs no isolated task, whatever the number of workers.
#include <lauxlib.h>
#include <stdlib.h>
#include <weft.h>

#include "check.h"

static const char script[] =
    "local weft, ffi = require 'weft', require 'ffi'\n"
    "ffi.cdef 'unsigned long pthread_self(void);'\n"
    "assert(weft.nworkers() == tonumber(os.getenv 'WANTED'))\n"
    "local here, futures = tonumber(ffi.C.pthread_self()), {}\n"
    "for i = 1, 200 do\n"
    "  futures[i] = weft.parallel(function()\n"
    "    local ffi = require 'ffi'\n"
    "    ffi.cdef 'unsigned long pthread_self(void);'\n"
    "    for _ = 1, 1000 do end\n"
    "    return tonumber(ffi.C.pthread_self())\n"
    "  end)\n"
    "end\n"
    "local elsewhere, mine = 0, 0\n"
    "for i = 1, 200 do\n"
    "  if futures[i]:await() == here then mine = mine + 1 else elsewhere = elsewhere + 1 end\n"
    "end\n"
    "assert(keeps == (mine == 0), mine)\n";

// Whether the script runs well, with what it is told.
static void runs(uint32_t workers, int keep_free, const char *wanted) {
  weft_config config = {.workers = workers, .keep_free = keep_free};
  weft *w = NULL;
  CHECK(setenv("WANTED", wanted, 1) == 0);
  CHECK(weft_open(&config, &w) == WEFT_OK);
  lua_pushboolean(weft_lua(w), keep_free);
  lua_setglobal(weft_lua(w), "keeps");
  weft_status status = weft_load_string(w, script, "=script");
  if (status == WEFT_OK) status = weft_run(w);
  if (status != WEFT_OK) (void)fprintf(stderr, "%s\n", weft_error(w));
  CHECK(status == WEFT_OK);
  weft_close(w);
}

int main(void) {
  runs(3, 1, "3");
  runs(1, 1, "2");  // somebody has to run them
  runs(1, 0, "1");  // and here it is the host's thread
  return check_done();
}
