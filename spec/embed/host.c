// SPDX-License-Identifier: MIT
// What a host can rely on: statuses and words, callbacks, stepping, its own handles on the loop,
// several runtimes one after another.
#include <lauxlib.h>
#include <string.h>
#include <uv.h>
#include <weft.h>

#include "check.h"

static char report[4096], logged[4096];

static void on_panic(void *ud, const char *text) {
  *(int *)ud += 1;
  (void)snprintf(report, sizeof report, "%s", text);
}

static void on_log(void *ud, const char *line) {
  (void)ud;
  (void)snprintf(logged, sizeof logged, "%s", line);
}

static int panics;

static weft *open_with(weft_clock clock) {
  weft_config config = {
      .on_panic = on_panic, .on_log = on_log, .ud = &panics, .clock = clock, .seed = 1};
  weft *w = NULL;
  CHECK(weft_open(&config, &w) == WEFT_OK);
  return w;
}

static weft_status run(weft *w, const char *code) {
  weft_status status = weft_load_string(w, code, "=test");
  return status == WEFT_OK ? weft_run(w) : status;
}

static void statuses(void) {
  weft *w = open_with(WEFT_CLOCK_VIRTUAL);
  CHECK(run(w, "x = 1") == WEFT_OK);
  CHECK(strcmp(weft_error(w), "") == 0);
  CHECK(weft_load_string(w, "x = = 1", "=test") == WEFT_ERR_LOAD);
  CHECK(strcmp(weft_error(w), "test:1: unexpected symbol near '='") == 0);
  CHECK(weft_load_file(w, "/no/such/file.lua") == WEFT_ERR_LOAD);
  CHECK(strstr(weft_error(w), "/no/such/file.lua") != NULL);
  CHECK(weft_run(w) == WEFT_ERR_MISUSE);  // nothing is loaded
  panics = 0;
  CHECK(run(w, "error('boom')") == WEFT_ERR_PANIC);
  CHECK(panics == 1 && strncmp(report, "panic: test:1: boom\n", 20) == 0);
  CHECK(run(w, "require'weft'.chan():recv()") == WEFT_ERR_DEADLOCK);
  CHECK(panics == 2 && strstr(report, "deadlock") != NULL);
  CHECK(strstr(report, "chan receive") != NULL);
  // The runtime goes on after all that; tasks that were left wait still.
  CHECK(run(w, "n = require'weft'.ntasks()") == WEFT_OK);
  lua_State *L = weft_lua(w);
  lua_getglobal(L, "n");
  CHECK(lua_tointeger(L, -1) == 2);
  lua_pop(L, 1);
  CHECK(lua_gettop(L) == 0);
  CHECK(run(w, "require'weft'.defer(error, 'in a defer')") == WEFT_OK);
  CHECK(strstr(logged, "in a defer") != NULL);
  weft_close(w);
}

static void arguments(void) {
  weft *w = open_with(WEFT_CLOCK_REAL);
  char a0[] = "host", a1[] = "script.lua", a2[] = "one", a3[] = "two";
  char *argv[] = {a0, a1, a2, a3, NULL};
  CHECK(weft_set_args(w, 4, argv, 1) == WEFT_OK);
  CHECK(weft_require(w, "weft.time") == WEFT_OK);
  CHECK(run(w,
            "local a, b = ...\n"
            "assert(a == 'one' and b == 'two' and select('#', ...) == 2)\n"
            "assert(arg[0] == 'script.lua' and arg[-1] == 'host' and arg[2] == 'two')\n"
            "assert(package.loaded['weft.time'])") == WEFT_OK);
  weft_close(w);
}

// (With budgets that suffice on the slowest machine.)
static void steps(void) {
  weft *w = open_with(WEFT_CLOCK_REAL);
  CHECK(weft_load_string(w,
                         "local weft = require 'weft'\n"
                         "woken = 0\n"
                         "for i = 1, 3 do weft.sleep(1) woken = woken + 1 end",
                         "=frames") == WEFT_OK);
  CHECK(weft_start(w) == WEFT_OK);
  weft_step_info info;
  CHECK(weft_step(w, 10, 0, &info) == WEFT_OK);
  CHECK(info.tasks == 1 && info.ready == 0 && info.next_timer == 1.0);
  CHECK(weft_step(w, 10, 0.5, &info) == WEFT_OK);
  CHECK(info.next_timer == 0.5);
  CHECK(weft_step(w, 10, 1.5, &info) == WEFT_OK);  // two timers in one frame
  lua_State *L = weft_lua(w);
  lua_getglobal(L, "woken");
  CHECK(lua_tointeger(L, -1) == 2);
  lua_pop(L, 1);
  CHECK(weft_step(w, 10, 1, &info) == WEFT_OK);
  CHECK(info.tasks == 0 && info.next_timer < 0);
  panics = 0;
  CHECK(weft_load_string(w, "error('in a frame')", "=frames") == WEFT_OK);
  CHECK(weft_start(w) == WEFT_OK);
  CHECK(weft_step(w, 0, -1, NULL) == WEFT_ERR_PANIC);
  CHECK(panics == 1 && strstr(report, "in a frame") != NULL);
  weft_close(w);
}

static void send_tick(uv_timer_t *timer) {
  weft *w = timer->data;
  lua_State *L = weft_lua(w);
  lua_getglobal(L, "inbox");
  lua_getfield(L, -1, "try_send");
  lua_insert(L, -2);
  lua_pushliteral(L, "from the host");
  CHECK(lua_pcall(L, 2, 1, 0) == 0 && lua_toboolean(L, -1));
  lua_pop(L, 1);
  uv_close((uv_handle_t *)timer, NULL);
}

// A task that waits for the host is no deadlock as long as the host has a handle on the loop.
static void own_handles(void) {
  weft *w = open_with(WEFT_CLOCK_REAL);
  uv_timer_t timer;
  uv_timer_init(weft_loop(w), &timer);
  timer.data = w;
  uv_timer_start(&timer, send_tick, 5, 0);
  CHECK(run(w, "inbox = require'weft'.chan(); got = inbox:recv()") == WEFT_OK);
  lua_getglobal(weft_lua(w), "got");
  CHECK(strcmp(lua_tostring(weft_lua(w), -1), "from the host") == 0);
  lua_pop(weft_lua(w), 1);
  weft_close(w);
}

static void one_after_another(void) {
  for (int i = 0; i < 50; i++) {
    weft *w = open_with(WEFT_CLOCK_VIRTUAL);
    CHECK(run(w,
              "local weft = require 'weft'\n"
              "local ch = weft.chan(2)\n"
              "for i = 1, 100 do weft.go(function() ch:send(i) weft.sleep(1e9) end) end\n"
              "local t = weft.time.ticker(1)\n"
              "weft.context.with_timeout(weft.context.background(), 1e6)\n"
              "for i = 1, 100 do ch:recv() end") == WEFT_OK);
    weft_close(w);  // with tasks that wait, timers that run and a warm pool
  }
  weft_close(NULL);
}

int main(void) {
  CHECK(strcmp(weft_version(), "0.1.0") == 0);
  statuses();
  arguments();
  steps();
  own_handles();
  one_after_another();
  return check_done();
}
