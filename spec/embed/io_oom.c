// SPDX-License-Identifier: MIT
// Memory runs out in input and output (oom.h). What libuv and c-ares allocate does not fail: they
// have allocators of their own, and libuv ends the program where it needs memory to go on.
#include "oom.h"

int main(int argc, char **argv) {
  static const oom_workload workloads[] = {{.name = "conn", .real = true},
                                           {.name = "datagram", .real = true},
                                           {.name = "files", .real = true},
                                           {.name = "folders", .real = true, .every = 5},
                                           {.name = "process", .real = true, .every = 2}};
  return oom_main(workloads, sizeof workloads / sizeof workloads[0], argc, argv);
}
