// SPDX-License-Identifier: MIT
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  OPT_WORKERS = 256,
  OPT_VERSION,
  OPT_HELP,
  OPT_CLOCK,
  OPT_SEED,
  OPT_LEAKS,
  OPT_WARN_PENDING,
  OPT_WARN_HOG,
  OPT_PREEMPT,
  OPT_WARN_UNCLOSED,
};

enum { HOG_MS = 100, MAX_HOG_MS = 3600000 };

static const char help[] =
    "Usage: weft [options] script.lua [args…]\n"
    "       weft [options] -e CODE [args…]\n"
    "       weft [options] - [args…]          (the script comes on standard input)\n"
    "\n"
    "Runs a Lua script whose main chunk is a task; require \"weft\" gives it the rest.\n"
    "\n"
    "  -e CODE           run CODE instead of a script\n"
    "  -l MODULE         require MODULE first; may be repeated\n"
    "  --workers N       workers for isolated tasks, 1 to 1024 (tasks of one VM use one)\n"
    "  --clock=virtual   time jumps to the next timer when every task waits\n"
    "  --seed N          make the choices of select repeatable\n"
    "  --preempt         tasks may be interrupted at any instruction, after 10 ms\n"
    "  --leaks           list the tasks that can never wake again when main ends\n"
    "  --warn-hog[=MS]   report tasks that keep others waiting for more than MS milliseconds\n"
    "                    (100); on when standard error is a terminal; 0: off\n"
    "  --warn-pending    list all tasks that the end of main cuts off\n"
    "  --warn-unclosed   report connections, files and the like that were not closed\n"
    "  --version         print the version\n"
    "  --help            print this\n"
    "\n"
    "Exit status: 0 when main returned; 1 when the script cannot be loaded or the command\n"
    "line is wrong; 2 after a panic or a deadlock.\n";

static options_action error(const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  (void)fputs("weft: ", stderr);
  (void)vfprintf(stderr, fmt, args);
  (void)fputs(" (weft --help tells more)\n", stderr);
  va_end(args);
  return OPTIONS_ERROR;
}

// A whole number within bounds.
static bool read_number(const char *text, unsigned long long min, unsigned long long max,
                        unsigned long long *value) {
  char *end = NULL;
  errno = 0;
  if (text[0] < '0' || text[0] > '9') return false;
  *value = strtoull(text, &end, 10);
  return errno == 0 && *end == '\0' && *value >= min && *value <= max;
}

static options_action read_workers(options *o, const char *name, const char *text) {
  unsigned long long n = 0;
  if (!read_number(text, 1, 1024, &n)) {
    return error("%s takes a number from 1 to 1024, not '%s'", name, text);
  }
  o->config.workers = (uint32_t)n;
  return OPTIONS_RUN;
}

static options_action read_option(options *o, int c, char **argv) {
  unsigned long long n = 0;
  switch (c) {
    case 'e': o->code = optarg; return OPTIONS_RUN;
    case 'l': o->modules[o->nmodules++] = optarg; return OPTIONS_RUN;
    case OPT_WORKERS: return read_workers(o, "--workers", optarg);
    case OPT_SEED:
      if (!read_number(optarg, 0, UINT64_MAX, &n)) {
        return error("--seed takes a whole number, not '%s'", optarg);
      }
      o->config.seed = n;
      return OPTIONS_RUN;
    case OPT_CLOCK:
      if (strcmp(optarg, "virtual") == 0) {
        o->config.clock = WEFT_CLOCK_VIRTUAL;
      } else if (strcmp(optarg, "real") != 0) {
        return error("--clock takes real or virtual, not '%s'", optarg);
      }
      return OPTIONS_RUN;
    case OPT_LEAKS: o->config.warn_leaks = 1; return OPTIONS_RUN;
    case OPT_WARN_HOG:
      n = HOG_MS;
      if (optarg != NULL && !read_number(optarg, 0, MAX_HOG_MS, &n)) {
        return error("--warn-hog takes a number of milliseconds up to 3600000, not '%s'", optarg);
      }
      o->config.warn_hog_ms = (uint32_t)n;
      return OPTIONS_RUN;
    case OPT_PREEMPT: o->config.preempt = 1; return OPTIONS_RUN;
    case OPT_WARN_PENDING: o->config.warn_pending = 1; return OPTIONS_RUN;
    case OPT_WARN_UNCLOSED: o->config.warn_unclosed = 1; return OPTIONS_RUN;
    case OPT_VERSION: (void)printf("weft %s\n", weft_version()); return OPTIONS_EXIT;
    case OPT_HELP: (void)fputs(help, stdout); return OPTIONS_EXIT;
    case ':': return error("%s needs an argument", argv[optind - 1]);
    default:
      if (optopt > 0 && optopt < OPT_WORKERS) return error("unknown option '-%c'", optopt);
      return error("unknown option '%s'", argv[optind - 1]);
  }
}

options_action options_read(options *o, int argc, char **argv) {
  static const struct option longs[] = {{"workers", required_argument, NULL, OPT_WORKERS},
                                        {"clock", required_argument, NULL, OPT_CLOCK},
                                        {"seed", required_argument, NULL, OPT_SEED},
                                        {"leaks", no_argument, NULL, OPT_LEAKS},
                                        {"warn-pending", no_argument, NULL, OPT_WARN_PENDING},
                                        {"warn-unclosed", no_argument, NULL, OPT_WARN_UNCLOSED},
                                        {"warn-hog", optional_argument, NULL, OPT_WARN_HOG},
                                        {"preempt", no_argument, NULL, OPT_PREEMPT},
                                        {"version", no_argument, NULL, OPT_VERSION},
                                        {"help", no_argument, NULL, OPT_HELP},
                                        {NULL, 0, NULL, 0}};
  // Who looks at a terminal wants to know why nothing moves; a file gets only what it asked for.
  *o = (options){.config.warn_hog_ms = isatty(STDERR_FILENO) ? HOG_MS : 0};
  o->modules = calloc((size_t)argc + 1, sizeof *o->modules);
  if (o->modules == NULL) return error("not enough memory");
  opterr = 0;
  options_action action = OPTIONS_RUN;
  int c;
  // '+': what follows the script belongs to the script.
  while (action == OPTIONS_RUN && (c = getopt_long(argc, argv, "+:e:l:", longs, NULL)) != -1) {
    action = read_option(o, c, argv);
  }
  const char *workers = getenv("WEFT_WORKERS");
  if (action == OPTIONS_RUN && o->config.workers == 0 && workers != NULL) {
    action = read_workers(o, "WEFT_WORKERS", workers);
  }
  if (action == OPTIONS_RUN && o->code == NULL && optind >= argc) {
    action = error("no script");
  }
  if (action != OPTIONS_RUN) {
    free(o->modules);
    o->modules = NULL;
    return action;
  }
  o->script = o->code != NULL ? optind - 1 : optind;
  o->from_stdin = o->code == NULL && strcmp(argv[o->script], "-") == 0;
  return OPTIONS_RUN;
}
