// SPDX-License-Identifier: MIT
// How many cores this process may use.
#ifndef WF_SCHED_CORES_H
#define WF_SCHED_CORES_H

#include <stdint.h>

// The smaller of the cores in its affinity mask and its CPU quota (cgroup v2 or v1, all levels),
// rounded up; at least 1. Reads files: some 50 us.
uint32_t wf_cores_available(void);

// The quota alone, in cores, 1e9 without one: `groups` is /proc/self/cgroup, `root` where the
// hierarchies are mounted.
double wf_cores_quota(const char *groups, const char *root);

#endif
