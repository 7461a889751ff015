// SPDX-License-Identifier: MIT
#include "io/signal.h"

#include <lauxlib.h>
#include <signal.h>
#include <string.h>
#include <uv.h>

#include "base/lock.h"
#include "conc/stub.h"
#include "io/handle.h"
#include "sched/runtime.h"
#include "task/mark.h"
#include "task/site.h"

// What libuv has of it, until it has closed it: longer than the subscription, or its VM.
typedef struct watcher {
  uv_signal_t handle;
  wf_mem mem;
  wf_signal *subscription;
} watcher;

struct wf_signal {
  wf_obj obj;
  wf_held held;      // until it is stopped
  watcher *watcher;  // likewise
  int target;        // wf_vm_anchor: a channel or a function
  int number;
};

static const struct {
  const char *name;
  int number;
} names[] = {
    {"SIGHUP", SIGHUP},     {"SIGINT", SIGINT},   {"SIGQUIT", SIGQUIT},     {"SIGUSR1", SIGUSR1},
    {"SIGUSR2", SIGUSR2},   {"SIGPIPE", SIGPIPE}, {"SIGALRM", SIGALRM},     {"SIGTERM", SIGTERM},
    {"SIGCHLD", SIGCHLD},   {"SIGCONT", SIGCONT}, {"SIGTSTP", SIGTSTP},     {"SIGTTIN", SIGTTIN},
    {"SIGTTOU", SIGTTOU},   {"SIGURG", SIGURG},   {"SIGXCPU", SIGXCPU},     {"SIGXFSZ", SIGXFSZ},
    {"SIGWINCH", SIGWINCH}, {"SIGIO", SIGIO},     {"SIGVTALRM", SIGVTALRM},
};

enum { NUMBERS = 65 };

// What the signals that somebody has subscribed to did before.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
  uint32_t subscriptions;
  struct sigaction before;
} signals[NUMBERS];

int wf_signal_number(const char *name) {
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (strcmp(names[i].name, name) == 0) return names[i].number;
  }
  return 0;
}

const char *wf_signal_name(int number) {
  static const struct {
    const char *name;
    int number;
  } others[] = {{"SIGKILL", SIGKILL}, {"SIGSEGV", SIGSEGV}, {"SIGABRT", SIGABRT},
                {"SIGFPE", SIGFPE},   {"SIGILL", SIGILL},   {"SIGBUS", SIGBUS},
                {"SIGTRAP", SIGTRAP}, {"SIGSYS", SIGSYS},   {"SIGSTOP", SIGSTOP},
                {"SIGPROF", SIGPROF}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].number == number) return names[i].name;
  }
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    if (others[i].number == number) return others[i].name;
  }
  return "unknown signal";
}

// The subscription at 1 has got its signal. A channel that is full or closed misses it.
static int deliver(lua_State *L) {
  wf_signal *s = lua_touserdata(L, 1);
  wf_vm *vm = s->obj.vm;
  wf_vm_push_anchor(vm, L, s->target);
  int target = lua_gettop(L);
  lua_pushstring(L, wf_signal_name(s->number));
  if (lua_isfunction(L, target)) {
    lua_call(L, 1, 0);
    return 0;
  }
  wf_chan *ch = wf_chan_at(L, target);
  if (ch == NULL) return 0;
  if (ch->obj.shared) {
    (void)wf_stub_try_send(vm, L, ch, target + 1);
  } else {
    (void)wf_chan_try_send(L, ch, target);
  }
  return 0;
}

static void has_come(uv_signal_t *handle, int number) {
  wf_signal *s = ((watcher *)(void *)handle)->subscription;
  (void)number;
  if (s == NULL) return;
  wf_vm *vm = s->obj.vm;
  wf_handle_happened(vm);
  // Without memory it is missed, as where there is no room.
  if (wf_vm_call_protected(vm, deliver, s) != 0) lua_pop(vm->L, 1);
}

static void closed(uv_handle_t *handle) {
  watcher *w = (watcher *)(void *)handle;
  wf_mem mem = w->mem;
  wf_mem_free(&mem, w, sizeof *w);
}

// Of SIGCHLD libuv has watchers of its own, for the children; its default is harmless.
static void put_back_locked(int number) {
  if (--signals[number].subscriptions != 0 || number == SIGCHLD) return;
  (void)sigaction(number, &signals[number].before, NULL);
}

static int start(watcher *w, int number) {
  (void)pthread_mutex_lock(&lock);
  if (signals[number].subscriptions++ == 0) {
    (void)sigaction(number, NULL, &signals[number].before);
  }
  int rc = uv_signal_start(&w->handle, has_come, number);
  if (rc != 0) put_back_locked(number);
  (void)pthread_mutex_unlock(&lock);
  return rc;
}

void wf_signal_stop(wf_signal *s) {
  watcher *w = s->watcher;
  if (w == NULL) return;
  s->watcher = NULL;
  w->subscription = NULL;
  (void)pthread_mutex_lock(&lock);
  (void)uv_signal_stop(&w->handle);
  put_back_locked(s->number);
  (void)pthread_mutex_unlock(&lock);
  uv_close((uv_handle_t *)&w->handle, closed);
  if (!s->obj.vm->orphaned) wf_vm_drop_anchor(s->obj.vm, s->target);
  s->target = LUA_NOREF;
  (void)wf_obj_release(&s->held);
}

static void let_go(wf_obj *obj) { wf_signal_stop((wf_signal *)obj); }

static void visit(wf_obj *obj, wf_mark *m) {
  const wf_signal *s = (const wf_signal *)obj;
  if (s->watcher != NULL) wf_mark_anchor(m, s->target);
}

static const wf_kind kind = {
    .name = "subscription", .size = sizeof(wf_signal), .let_go = let_go, .visit = visit};
static const char tag_signal;

wf_signal *wf_signal_at(lua_State *L, int idx) {
  return (wf_signal *)wf_obj_at(L, idx, &tag_signal);
}

int wf_signal_new(wf_vm *vm, lua_State *L, int number) {
  wf_signal *s = (wf_signal *)wf_obj_new(vm, L, &kind, &tag_signal);
  s->number = number;
  s->target = LUA_NOREF;
  watcher *w = wf_mem_new(&vm->rt->mem, sizeof *w);
  if (w == NULL) wf_site_raise(L, "not enough memory");
  w->mem = vm->rt->mem;
  int rc = uv_signal_init(&vm->worker->loop.uv, &w->handle);
  if (rc != 0) {
    wf_mem_free(&vm->rt->mem, w, sizeof *w);
    return rc;
  }
  rc = start(w, number);
  if (rc != 0) {
    uv_close((uv_handle_t *)&w->handle, closed);
    return rc;
  }
  // From here on it is stopped by who has it, or with its VM.
  w->subscription = s;
  s->watcher = w;
  wf_obj_hold(&s->held, &s->obj);
  lua_insert(L, -2);
  s->target = wf_vm_anchor(vm, L);
  return 0;
}
