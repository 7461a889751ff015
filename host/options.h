// SPDX-License-Identifier: MIT
// The command line of `weft`.
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <stdbool.h>
#include <weft.h>

typedef enum options_action {
  OPTIONS_RUN,
  OPTIONS_EXIT,   // help or version: all has been said
  OPTIONS_ERROR,  // the reason has been printed
} options_action;

typedef struct options {
  weft_config config;
  const char *code;      // of -e, or NULL
  const char **modules;  // of -l, in order
  int nmodules;
  int script;       // place of the script in argv; argc - 1 or less
  bool from_stdin;  // the script is "-"
} options;

// Reads argv. With OPTIONS_RUN, `modules` is the caller's to free.
options_action options_read(options *o, int argc, char **argv);

#endif
