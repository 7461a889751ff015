// SPDX-License-Identifier: MIT
#include "sched/cores.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#endif

enum { PATH_BYTES = 4096 };

// Without a mask that can be asked for: all that are there.
static uint32_t in_mask(void) {
#ifdef __linux__
  // A machine may have more processors than a cpu_set_t.
  for (size_t cpus = 1024; cpus <= 1 << 20; cpus *= 4) {
    cpu_set_t *set = CPU_ALLOC(cpus);
    if (set == NULL) break;
    size_t size = CPU_ALLOC_SIZE(cpus);
    int count = sched_getaffinity(0, size, set) == 0 ? CPU_COUNT_S(size, set) : -1;
    CPU_FREE(set);
    if (count > 0) return (uint32_t)count;
  }
#endif
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (uint32_t)online : 1;
}

#ifdef __linux__

// The file's first line without its end; false when there is none.
static bool read_line(const char *path, char *line, int size) {
  FILE *file = fopen(path, "re");
  if (file == NULL) return false;
  bool any = fgets(line, size, file) != NULL;
  (void)fclose(file);
  if (any) line[strcspn(line, "\n")] = '\0';
  return any;
}

static double smaller(double a, double b) { return a < b ? a : b; }

// cpu.max: "QUOTA PERIOD" or "max PERIOD".
static double quota_v2(const char *dir) {
  char path[PATH_BYTES + 16], line[64], *end = NULL;
  (void)snprintf(path, sizeof path, "%s/cpu.max", dir);
  if (!read_line(path, line, sizeof line)) return 1e9;
  double quota = strtod(line, &end), period = end != line ? strtod(end, NULL) : 0;
  return quota > 0 && period > 0 ? quota / period : 1e9;
}

static double quota_v1(const char *dir) {
  char path[PATH_BYTES + 32], line[64];
  (void)snprintf(path, sizeof path, "%s/cpu.cfs_quota_us", dir);
  double quota = read_line(path, line, sizeof line) ? strtod(line, NULL) : 0;
  (void)snprintf(path, sizeof path, "%s/cpu.cfs_period_us", dir);
  double period = read_line(path, line, sizeof line) ? strtod(line, NULL) : 0;
  return quota > 0 && period > 0 ? quota / period : 1e9;
}

// The smallest quota from the group up to the root of its hierarchy.
static double quota_upwards(const char *root, const char *group, double (*quota)(const char *)) {
  char dir[PATH_BYTES];
  double least = 1e9;
  int n = snprintf(dir, sizeof dir, "%s%s", root, group);
  if (n <= 0 || (size_t)n >= sizeof dir) return least;
  for (size_t length = strlen(root);;) {
    least = smaller(least, quota(dir));
    char *slash = strrchr(dir, '/');
    if (strlen(dir) <= length || slash == NULL) return least;
    *slash = '\0';
  }
}

// Whether a list like "cpu,cpuacct" has "cpu" in it.
static bool has_cpu(char *controllers) {
  char *rest = NULL;
  for (char *c = strtok_r(controllers, ",", &rest); c != NULL; c = strtok_r(NULL, ",", &rest)) {
    if (strcmp(c, "cpu") == 0) return true;
  }
  return false;
}

// Lines of /proc/self/cgroup are "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1).
double wf_cores_quota(const char *groups, const char *root) {
  FILE *file = fopen(groups, "re");
  if (file == NULL) return 1e9;
  char line[PATH_BYTES], root_v1[PATH_BYTES];
  (void)snprintf(root_v1, sizeof root_v1, "%s/cpu", root);
  double least = 1e9;
  while (fgets(line, sizeof line, file) != NULL) {
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    char *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL) continue;
    *group++ = '\0';
    controllers++;
    if (*controllers == '\0') {
      least = smaller(least, quota_upwards(root, group, quota_v2));
    } else if (has_cpu(controllers)) {
      least = smaller(least, quota_upwards(root_v1, group, quota_v1));
    }
  }
  (void)fclose(file);
  return least;
}

#else

double wf_cores_quota(const char *groups, const char *root) {
  (void)groups;
  (void)root;
  return 1e9;
}

#endif

uint32_t wf_cores_available(void) {
  uint32_t cores = in_mask();
  double quota = wf_cores_quota("/proc/self/cgroup", "/sys/fs/cgroup");
  if (quota < (double)cores) {
    uint32_t whole = (uint32_t)quota;
    cores = (double)whole < quota ? whole + 1 : whole;
  }
  return cores > 0 ? cores : 1;
}
