// SPDX-License-Identifier: MIT
// Memory runs out in tasks, channels, contexts and the like (oom.h).
#include "oom.h"

int main(int argc, char **argv) {
  static const oom_workload workloads[] = {
      {.name = "chan"},  {.name = "select"},    {.name = "context"}, {.name = "time"},
      {.name = "task"},  {.name = "coroutine"}, {.name = "require"}, {.name = "sync"},
      {.name = "panic"}, {.name = "shared"}};
  return oom_main(workloads, sizeof workloads / sizeof workloads[0], argc, argv);
}
