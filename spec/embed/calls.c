// SPDX-License-Identifier: MIT
// Calls at the wrong time, the words of failures, memory that is out, a loop that is busy.
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <weft.h>

#include "check.h"

static void no_report(void *ud, const char *report) {
  (void)ud;
  (void)report;
}

static weft *open_with(weft_config config) {
  weft *w = NULL;
  config.on_panic = no_report;
  CHECK(weft_open(&config, &w) == WEFT_OK);
  return w;
}

static weft_status run(weft *w, const char *code) {
  weft_status status = weft_load_string(w, code, "=test");
  return status == WEFT_OK ? weft_run(w) : status;
}

// inside(): what a script gets that has the host call the runtime which runs it.
static int inside(lua_State *L) {
  weft *w = lua_touserdata(L, lua_upvalueindex(1));
  char a0[] = "host";
  char *argv[] = {a0, NULL};
  weft_step_info info;
  CHECK(weft_run(w) == WEFT_ERR_MISUSE);
  CHECK(strstr(weft_error(w), "running") != NULL);
  CHECK(weft_load_string(w, "x = 1", "=inner") == WEFT_ERR_MISUSE);
  CHECK(weft_load_file(w, "/no/such/file.lua") == WEFT_ERR_MISUSE);
  CHECK(weft_require(w, "weft") == WEFT_ERR_MISUSE);
  CHECK(weft_set_args(w, 1, argv, 0) == WEFT_ERR_MISUSE);
  CHECK(weft_start(w) == WEFT_ERR_MISUSE);
  CHECK(weft_step(w, 0, -1, &info) == WEFT_ERR_MISUSE);
  lua_pushliteral(L, "still here");
  return 1;
}

static void wrong_time(void) {
  weft *w = open_with((weft_config){0});
  CHECK(weft_run(w) == WEFT_ERR_MISUSE);
  CHECK(weft_start(w) == WEFT_ERR_MISUSE);
  lua_pushlightuserdata(weft_lua(w), w);
  lua_pushcclosure(weft_lua(w), inside, 1);
  lua_setglobal(weft_lua(w), "inside");
  CHECK(run(w, "require'weft'.yield() assert(inside() == 'still here')") == WEFT_OK);
  // A chunk runs once, and a step is as busy as a run.
  CHECK(weft_run(w) == WEFT_ERR_MISUSE);
  CHECK(weft_load_string(w, "assert(inside() == 'still here') done = true", "=step") == WEFT_OK);
  CHECK(weft_start(w) == WEFT_OK);
  CHECK(weft_start(w) == WEFT_ERR_MISUSE);
  CHECK(weft_step(w, 0, -1, NULL) == WEFT_OK);
  CHECK(run(w, "assert(done)") == WEFT_OK);
  weft_close(w);
}

static void words(void) {
  weft *w = open_with((weft_config){0});
  CHECK(strcmp(weft_error(w), "") == 0);
  CHECK(run(w, "error 'boom'") == WEFT_ERR_PANIC && strstr(weft_error(w), "boom") != NULL);
  CHECK(weft_load_string(w, "", "=test") == WEFT_OK && strcmp(weft_error(w), "") == 0);
  CHECK(weft_load_file(w, "/no/such/file.lua") == WEFT_ERR_LOAD);
  CHECK(strstr(weft_error(w), "file.lua") != NULL);
  CHECK(weft_run(w) == WEFT_OK && strcmp(weft_error(w), "") == 0);  // what was loaded before
  CHECK(run(w, "error 'boom'") == WEFT_ERR_PANIC);
  CHECK(weft_step(w, 0, -1, NULL) == WEFT_OK && strcmp(weft_error(w), "") == 0);
  CHECK(weft_require(w, "no_such_module") == WEFT_OK);
  CHECK(run(w, "ran = true") == WEFT_ERR_LOAD);
  CHECK(strstr(weft_error(w), "no_such_module") != NULL);
  CHECK(run(w, "assert(not ran)") == WEFT_OK);
  weft_close(w);
}

static bool memory_is_out;

static void *limited(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud;
  if (nsize == 0) {
    free(ptr);
    return NULL;
  }
  return memory_is_out && (ptr == NULL || nsize > osize) ? NULL : realloc(ptr, nsize);
}

static void memory(void) {
  static char code[20000];
  memset(code, ' ', sizeof code - 1);
  weft *w = open_with((weft_config){.alloc = limited});
  CHECK(weft_load_string(w, "x = 1", "=test") == WEFT_OK);
  memory_is_out = true;
  CHECK(weft_load_string(w, code, "=test") == WEFT_ERR_MEMORY);
  CHECK(strstr(weft_error(w), "memory") != NULL);
  CHECK(weft_require(w, "a module that nobody has named before") == WEFT_ERR_MEMORY);
  weft *none = w;
  CHECK(weft_open(&(weft_config){.alloc = limited}, &none) == WEFT_ERR_MEMORY && none == NULL);
  memory_is_out = false;
  CHECK(run(w, "x = 2") == WEFT_OK);
  weft_close(w);
}

static void set_flag(uv_timer_t *timer) {
  lua_pushboolean(timer->data, 1);
  lua_setglobal(timer->data, "fired");
  uv_close((uv_handle_t *)timer, NULL);
}

// Tasks that are always ready leave room for the host's handles, and for timers.
static void busy_loop(void) {
  weft *w = open_with((weft_config){0});
  uv_timer_t timer;
  uv_timer_init(weft_loop(w), &timer);
  timer.data = weft_lua(w);
  uv_timer_start(&timer, set_flag, 2, 0);
  CHECK(run(w,
            "local weft = require 'weft'\n"
            "local woken\n"
            "weft.go(function() weft.sleep(0.002) woken = true end)\n"
            "local t = weft.time.monotonic()\n"
            "while not (fired and woken) do\n"
            "  assert(weft.time.monotonic() - t < 10, 'starved')\n"
            "  weft.yield()\n"
            "end") == WEFT_OK);
  weft_close(w);
}

int main(void) {
  wrong_time();
  words();
  memory();
  busy_loop();
  return check_done();
}
