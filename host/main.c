// SPDX-License-Identifier: MIT
// The weft command: a client of weft.h and nothing else.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <weft.h>

#include "options.h"
#include "signals.h"

// The end of main is the end of the program, whatever isolated tasks do; what they have no more
// than a moment for goes with the process.
enum { EXIT_BAD_SCRIPT = 1, EXIT_BAD_END = 2, CLOSE_WAIT_MS = 20 };

static int complain(const weft *w) {
  (void)fprintf(stderr, "weft: %s\n", weft_error(w));
  return EXIT_BAD_SCRIPT;
}

static weft_status load(weft *w, const options *o, int argc, char **argv) {
  for (int i = 0; i < o->nmodules; i++) {
    weft_status status = weft_require(w, o->modules[i]);
    if (status != WEFT_OK) return status;
  }
  weft_status status = weft_set_args(w, argc, argv, o->script);
  if (status != WEFT_OK) return status;
  if (o->code != NULL) return weft_load_string(w, o->code, "=(command line)");
  return weft_load_file(w, o->from_stdin ? NULL : argv[o->script]);
}

static int run(const options *o, int argc, char **argv) {
  weft *w = NULL;
  weft_config config = o->config;
  config.on_interrupt = signals_on_interrupt;
  config.close_wait_ms = CLOSE_WAIT_MS;
  config.close_quietly = 1;
  weft_status status = weft_open(&config, &w);
  if (status != WEFT_OK) {
    (void)fprintf(stderr, "weft: cannot start: %s\n",
                  status == WEFT_ERR_MEMORY ? "not enough memory" : "the system refuses");
    return EXIT_BAD_SCRIPT;
  }
  signals_watch(w);
  int code = 0;
  if (load(w, o, argc, argv) != WEFT_OK) {
    code = complain(w);
  } else {
    status = weft_run(w);
    // A panic or deadlock has been reported on stderr by then.
    if (status == WEFT_ERR_PANIC || status == WEFT_ERR_DEADLOCK) {
      code = EXIT_BAD_END;
    } else if (status != WEFT_OK) {
      code = complain(w);
    }
  }
  (void)fflush(stdout);
  signals_watch(NULL);
  weft_close(w);
  return code;
}

// A descriptor that is closed at the start would be taken by the event loop, and what is printed
// would go there.
static void open_standard_descriptors(void) {
  int fd;
  do {
    fd = open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd >= 0) (void)close(fd);
}

int main(int argc, char **argv) {
  open_standard_descriptors();
  options o;
  switch (options_read(&o, argc, argv)) {
    case OPTIONS_EXIT: return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    case OPTIONS_ERROR: return EXIT_BAD_SCRIPT;
    case OPTIONS_RUN: break;
  }
  int code = run(&o, argc, argv);
  free(o.modules);
  return code;
}
