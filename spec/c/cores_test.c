// SPDX-License-Identifier: MIT
// How many cores there are to be used: quotas of both kinds of cgroups, as the files say and as
// they may be broken, and the affinity mask; and what workers do about a quota that changes.
#include "sched/cores.h"

#include <ftw.h>
#include <lauxlib.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../embed/check.h"
#include "api.h"
#include "sched/idle.h"
#include "sched/workers.h"

// Files ----------------------------------------------------------------------------------------

static char top[] = "/tmp/weft_cores_XXXXXX";

// Writes a file below `top`, with the folders on the way.
static void put(const char *name, const char *text) {
  char path[512];
  (void)snprintf(path, sizeof path, "%s/%s", top, name);
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    (void)mkdir(path, 0700);
    *slash = '/';
  }
  FILE *file = fopen(path, "w");
  CHECK(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0);
}

static double quota(const char *groups) {
  put("groups", groups);
  char file[256];
  (void)snprintf(file, sizeof file, "%s/groups", top);
  return wf_cores_quota(file, top);
}

static bool near(double a, double b) { return fabs(a - b) < 1e-9; }
enum { NONE = 1000000000 };

static void reads_v2(void) {
  put("cpu.max", "max 100000\n");
  put("a/cpu.max", "250000 100000\n");
  put("a/b/cpu.max", "400000 100000\n");
  put("c/cpu.max", "max 100000\n");
  put("half/cpu.max", "50000 100000\n");
  put("bare/note", "no cpu.max here\n");
  CHECK(near(quota("0::/a\n"), 2.5));
  CHECK(near(quota("0::/a/b\n"), 2.5));  // the one above has less
  CHECK(near(quota("0::/half\n"), 0.5));
  CHECK(near(quota("0::/c\n"), NONE));
  CHECK(near(quota("0::/\n"), NONE));
  CHECK(near(quota("0::/bare\n"), NONE));
  CHECK(near(quota("0::/not/there\n"), NONE));
  put("cpu.max", "100000 100000\n");
  CHECK(near(quota("0::/a/b\n"), 1));  // at the root of the hierarchy
  put("cpu.max", "max 100000\n");
}

static void reads_v1(void) {
  put("cpu/cpu.cfs_quota_us", "-1\n");
  put("cpu/cpu.cfs_period_us", "100000\n");
  put("cpu/a/cpu.cfs_quota_us", "300000\n");
  put("cpu/a/cpu.cfs_period_us", "100000\n");
  put("cpu/a/b/cpu.cfs_quota_us", "-1\n");
  put("cpu/a/b/cpu.cfs_period_us", "100000\n");
  CHECK(near(quota("4:cpu,cpuacct:/a\n"), 3));
  CHECK(near(quota("4:cpuacct,cpu:/a/b\n"), 3));
  CHECK(near(quota("4:cpu:/\n"), NONE));
  CHECK(near(quota("4:cpuset:/a\n3:memory:/a\n"), NONE));  // other controllers
  CHECK(near(quota("0::/half\n4:cpu:/a\n"), 0.5));         // both: the smaller one
  CHECK(near(quota("4:cpu:/a\n0::/c\n"), 3));
}

static void minds_no_nonsense(void) {
  static const char *const nonsense[] = {"",      "\n",           "max\n",     "100000\n",
                                         "x y\n", "0 0\n",        "1 0\n",     "-5 100000\n",
                                         " \n",   "nan 100000\n", "100000 x\n"};
  for (size_t i = 0; i < sizeof nonsense / sizeof *nonsense; i++) {
    put("odd/cpu.max", nonsense[i]);
    CHECK(near(quota("0::/odd\n"), NONE));
    put("cpu/odd/cpu.cfs_quota_us", "100000\n");
    put("cpu/odd/cpu.cfs_period_us", nonsense[i]);
    if (strtod(nonsense[i], NULL) > 0) continue;  // a period
    CHECK(near(quota("1:cpu:/odd\n"), NONE));
  }
  CHECK(near(quota(""), NONE));
  CHECK(near(quota("nothing of this kind\n:\n::\n1:\n"), NONE));
  CHECK(near(wf_cores_quota("/not/there/at/all", top), NONE));
  char longer[9000];
  memset(longer, 'x', sizeof longer);
  memcpy(longer, "0::/", 4);
  longer[sizeof longer - 1] = '\0';
  CHECK(near(quota(longer), NONE));
  put("tiny/cpu.max", "1 1000000\n");
  CHECK(quota("0::/tiny\n") < 1e-5);
}

static void knows_the_mask(void) {
  cpu_set_t before, one;
  CHECK(sched_getaffinity(0, sizeof before, &before) == 0);
  uint32_t all = wf_cores_available();
  CHECK(all >= 1 && all <= (uint32_t)CPU_COUNT(&before));
  int cpu = 0;
  while (!CPU_ISSET((size_t)cpu, &before)) cpu++;
  CPU_ZERO(&one);
  CPU_SET((size_t)cpu, &one);
  CHECK(sched_setaffinity(0, sizeof one, &one) == 0);
  CHECK(wf_cores_available() == 1);
  CHECK(sched_setaffinity(0, sizeof before, &before) == 0);
  CHECK(wf_cores_available() == all);
}

// A quota that changes -------------------------------------------------------------------------

static wf_atomic_u64 cores;
static uint32_t count_cores(void) { return (uint32_t)wf_u64_load(&cores, WF_RELAXED); }

static weft *runtime;

// change(n): from now on there are n cores. Looked at without waiting for a second to go by.
static int l_change(lua_State *L) {
  wf_workers *workers = runtime->rt.workers;
  wf_u64_store(&cores, (uint64_t)luaL_checkinteger(L, 1), WF_RELAXED);
  wf_u64_store(&workers->checked_ns, 0, WF_RELAXED);
  return 0;
}

static int l_limit(lua_State *L) {
  lua_pushnumber(L, wf_idle_limit(&runtime->rt.workers->idle));
  return 1;
}

static const char script[] =
    "local weft, sync = require 'weft', require 'weft.sync'\n"
    "local function meet(n)\n"  // n tasks, each of which keeps its thread until all are there
    "  local here, futures = sync.int(), {}\n"
    "  for i = 1, n do\n"
    "    futures[i] = weft.parallel(function(gate)\n"
    "      gate:add(1)\n"
    "      while gate:load() < n do end\n"
    "    end, here)\n"
    "  end\n"
    "  for i = 1, n do futures[i]:await() end\n"
    "end\n"
    "local function vms(timed)\n"  // in how many VMs tasks begin
    "  local futures, seen, n = {}, {}, 0\n"
    "  for i = 1, 60 do\n"
    "    futures[i] = weft.parallel(function()\n"
    "      for _ = 1, 1e5 do end\n"
    "      return tostring(package.loaded)\n"
    "    end)\n"
    "  end\n"
    "  for i = 1, 60 do\n"
    "    local ctx = weft.context.background()\n"
    "    if timed then ctx = weft.context.with_timeout(ctx, 60) end\n"
    "    local vm = assert(futures[i]:await(ctx))\n"
    "    if not seen[vm] then n = n + 1 end\n"
    "    seen[vm] = true\n"
    "  end\n"
    "  return n\n"
    "end\n"
    "local function noticed(n)\n"
    "  change(n)\n"
    "  repeat weft.parallel(function() end):await() until limit() == n\n"
    "end\n"
    "meet(4)\n"
    "for _ = 1, 5 do\n"
    "  noticed(1)\n"
    // Who was searching when the limit came may still find something.
    "  local tries = 0\n"
    "  repeat tries = tries + 1 until vms(false) == 1 or tries == 20\n"
    "  assert(tries < 20, 'surplus workers take work')\n"
    "  assert(vms(true) == 1, 'surplus workers take work beside a timer')\n"
    "  noticed(3)\n"
    "  meet(3)\n"
    "  noticed(4)\n"
    "  meet(4)\n"
    "  noticed(2)\n"
    "  meet(2)\n"
    "end\n";

static void follows_the_quota(void) {
  CHECK(unsetenv("WEFT_WORKERS") == 0);
  wf_u64_init(&cores, 4);
  weft_config config = {0};
  CHECK(weft_open(&config, &runtime) == WEFT_OK);
  runtime->rt.count_cores = count_cores;
  lua_State *L = weft_lua(runtime);
  lua_register(L, "change", l_change);
  lua_register(L, "limit", l_limit);
  weft_status status = weft_load_string(runtime, script, "=script");
  if (status == WEFT_OK) status = weft_run(runtime);
  if (status != WEFT_OK) (void)fprintf(stderr, "%s\n", weft_error(runtime));
  CHECK(status == WEFT_OK);
  weft_close(runtime);
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
  (void)st, (void)kind, (void)at;
  return remove(path);
}

int main(void) {
  CHECK(mkdtemp(top) != NULL);
  reads_v2();
  reads_v1();
  minds_no_nonsense();
  CHECK(nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
  knows_the_mask();
  follows_the_quota();
  return check_done();
}
