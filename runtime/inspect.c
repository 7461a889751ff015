// SPDX-License-Identifier: MIT
// What a host can ask of a program that runs, also from signal handlers. Symbols: weft
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "api.h"
#include "task/main.h"
#include "task/site.h"
#include "task/task.h"

typedef struct dump_target {
  int fd, error;
} dump_target;

static void write_text(void *ud, const char *text) {
  dump_target *to = ud;
  struct pollfd ready = {.fd = to->fd, .events = POLLOUT};
  for (size_t left = strlen(text); left > 0;) {
    ssize_t n = write(to->fd, text, left);
    if (n >= 0) {
      text += n;
      left -= (size_t)n;
    } else if (errno == EAGAIN) {
      (void)poll(&ready, 1, -1);
    } else if (errno != EINTR) {
      to->error = errno;
      return;
    }
  }
}

weft_status weft_dump(weft *w, int fd) {
  w->error[0] = '\0';
  if (w->rt.vm.current != NULL) return wf_api_misuse(w);
  dump_target to = {.fd = fd};
  wf_main_report(&w->rt.vm, "dump", write_text, &to);
  return to.error == 0 ? WEFT_OK : wf_api_fail(w, WEFT_ERR_SYSTEM, uv_strerror(-to.error));
}

// A signal handler may come at any instruction: what is read here is written in an order in which
// it can be read.
void weft_running(const weft *w, weft_running_info *info) {
  const wf_vm *vm = &w->rt.vm;
  const wf_task *task = vm->current;
  *info = (weft_running_info){.created_at = "?"};
  if (task == NULL) return;
  uint64_t now = wf_clock_machine_ns();
  info->task = task->id;
  info->creator = task->creator;
  info->seconds = now > vm->turn_ns ? (double)(now - vm->turn_ns) / 1e9 : 0;
  const char *site = wf_site_text(vm, task->site);
  for (size_t i = 0; i + 1 < sizeof info->created_at && site[i] != '\0'; i++) {
    info->created_at[i] = site[i];
    info->created_at[i + 1] = '\0';
  }
}
