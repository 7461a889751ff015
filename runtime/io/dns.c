// SPDX-License-Identifier: MIT
#include "io/dns.h"

#include <ares.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/addr.h"
#include "sched/runtime.h"
#include "task/mark.h"
#include "task/park.h"
#include "task/site.h"

enum { MAX_SOCKETS = ARES_GETSOCK_MAXNUM, TICK_MS = 100 };

// What a VM has of c-ares. `clock` runs while there are queries, and keeps the loop going while
// somebody waits for one.
typedef struct wf_dns {
  wf_vm *vm;
  ares_channel channel;
  wf_uv *clock;
  uint32_t queries, waiting;
  struct {
    ares_socket_t fd;
    wf_uv *uv;  // NULL: a free place
  } sockets[MAX_SOCKETS];
} wf_dns;

struct wf_dns_lookup {
  wf_obj obj;
  wf_link waiters;  // one at most
  wf_held held;     // until it has ended
  struct query *query;
  wf_addr *found;
  size_t count;
  int code;
  bool ended, counted;  // counted: in wf_dns.waiting
  char host[256];
};

// What c-ares or libuv knows of a look-up.
typedef struct query {
  uv_getaddrinfo_t req;
  wf_dns_lookup *lookup;  // NULL: it does not matter any more
  wf_dns *dns;
  wf_mem mem;
} query;

// Look-ups as objects ---------------------------------------------------------------------------

static void count_waiting(wf_dns_lookup *l, bool waits) {
  wf_dns *dns = l->obj.vm->dns;
  if (l->counted == waits) return;
  l->counted = waits;
  if (dns == NULL || dns->clock == NULL) return;
  dns->waiting += waits ? 1 : -1U;
  if (dns->waiting != 0) {
    uv_ref(&dns->clock->u.handle);
  } else {
    uv_unref(&dns->clock->u.handle);
  }
}

static void forget(wf_dns_lookup *l) {
  if (l->query != NULL) l->query->lookup = NULL;
  l->query = NULL;
  count_waiting(l, false);
  (void)wf_obj_release(&l->held);
}

static void destroy(wf_obj *obj) {
  wf_dns_lookup *l = (wf_dns_lookup *)obj;
  if (l->query != NULL) l->query->lookup = NULL;
  wf_mem_free(wf_obj_mem(obj), l->found, l->count * sizeof *l->found);
}

static void let_go(wf_obj *obj) { forget((wf_dns_lookup *)obj); }

static void visit(wf_obj *obj, wf_mark *m) {
  const wf_link *queue = &((wf_dns_lookup *)obj)->waiters;
  for (wf_link *l = queue->next; l != queue; l = l->next) {
    wf_mark_task(m, wf_container_of(l, wf_waiter, link)->task);
  }
}

static void describe(const wf_obj *obj, const wf_task *task, char *buf, size_t size) {
  (void)task;
  (void)snprintf(buf, size, "lookup %s", ((const wf_dns_lookup *)obj)->host);
}

static const wf_kind kind = {.name = "look-up",
                             .size = sizeof(wf_dns_lookup),
                             .destroy = destroy,
                             .let_go = let_go,
                             .visit = visit,
                             .describe = describe};

wf_dns_lookup *wf_dns_at(lua_State *L, int idx) {
  wf_obj *obj = wf_obj_at(L, idx, &wf_tag_handle);
  return obj != NULL && obj->kind == &kind ? (wf_dns_lookup *)obj : NULL;
}

bool wf_dns_has_ended(const wf_dns_lookup *lookup, int *code) {
  *code = lookup->code;
  return lookup->ended;
}

void wf_dns_wait(wf_dns_lookup *lookup, wf_waiter *waiter) {
  wf_list_push(&lookup->waiters, &waiter->link);
  count_waiting(lookup, true);
}

void wf_dns_leave(wf_dns_lookup *lookup) { forget(lookup); }

void wf_dns_push(lua_State *L, const wf_dns_lookup *lookup) {
  char text[WF_ADDR_TEXT];
  lua_createtable(L, (int)lookup->count, 0);
  for (size_t i = 0; i < lookup->count; i++) {
    wf_addr_host(&lookup->found[i].any, text, sizeof text);
    lua_pushstring(L, text);
    lua_rawseti(L, -2, (int)i + 1);
  }
}

// The end of a query: `code` is one of libuv's.
static void end(query *q, int code) {
  wf_dns_lookup *l = q->lookup;
  wf_mem mem = q->mem;
  wf_mem_free(&mem, q, sizeof *q);
  if (l == NULL) return;
  l->query = NULL;
  l->code = code;
  l->ended = true;
  wf_obj_ref(&l->obj);
  wf_handle_wake_all(&l->waiters, 0);
  forget(l);
  wf_obj_unref(&l->obj);
}

static int keep(wf_dns_lookup *l, const struct sockaddr *addr) {
  if (addr->sa_family != AF_INET && addr->sa_family != AF_INET6) return 0;
  wf_addr *more = wf_mem_resize(wf_obj_mem(&l->obj), l->found, l->count * sizeof *more,
                                (l->count + 1) * sizeof *more);
  if (more == NULL) return UV_ENOMEM;
  l->found = more;
  memset(&more[l->count], 0, sizeof *more);
  memcpy(&more[l->count], addr, addr->sa_family == AF_INET ? sizeof more->v4 : sizeof more->v6);
  l->count++;
  return 0;
}

// c-ares ----------------------------------------------------------------------------------------

static int code_of(int status) {
  switch (status) {
    case ARES_SUCCESS: return 0;
    case ARES_ENODATA: return UV_EAI_NODATA;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME: return UV_EAI_NONAME;
    case ARES_ENOMEM: return UV_EAI_MEMORY;
    case ARES_ETIMEOUT: return UV_ETIMEDOUT;
    case ARES_ECONNREFUSED:
    case ARES_ESERVFAIL: return UV_EAI_AGAIN;
    case ARES_ECANCELLED:
    case ARES_EDESTRUCTION: return UV_EAI_CANCELED;
    default: return UV_EAI_FAIL;
  }
}

static void on_tick(uv_timer_t *timer) {
  wf_dns *dns = timer->data != NULL ? (wf_dns *)(void *)((wf_uv *)timer->data)->owner : NULL;
  if (dns != NULL) ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void run_clock(wf_dns *dns) {
  uv_timer_t *timer = (uv_timer_t *)(void *)&dns->clock->u.handle;
  if (dns->queries == 0) {
    (void)uv_timer_stop(timer);
  } else if (!uv_is_active(&dns->clock->u.handle)) {
    uv_update_time(wf_handle_loop(dns->vm));
    (void)uv_timer_start(timer, on_tick, TICK_MS, TICK_MS);
  }
}

static void on_answer(void *arg, int status, int timeouts, struct ares_addrinfo *res) {
  (void)timeouts;
  query *q = arg;
  q->dns->queries--;
  int code = code_of(status);
  if (res != NULL && q->lookup != NULL) {
    for (const struct ares_addrinfo_node *n = res->nodes; n != NULL && code == 0; n = n->ai_next) {
      code = keep(q->lookup, n->ai_addr);
    }
    if (code == 0 && q->lookup->count == 0) code = UV_EAI_NODATA;
  }
  if (res != NULL) ares_freeaddrinfo(res);
  if (status != ARES_EDESTRUCTION) run_clock(q->dns);
  end(q, code);
}

static void on_ready(uv_poll_t *poll, int status, int events) {
  wf_dns *dns = (wf_dns *)(void *)wf_uv_owner(poll);
  uv_os_fd_t fd = -1;
  if (uv_fileno((const uv_handle_t *)poll, &fd) != 0) return;
  bool reads = status != 0 || (events & UV_READABLE) != 0;
  bool writes = status != 0 || (events & UV_WRITABLE) != 0;
  ares_process_fd(dns->channel, reads ? fd : ARES_SOCKET_BAD, writes ? fd : ARES_SOCKET_BAD);
}

static wf_uv *poll_of(wf_dns *dns, ares_socket_t fd, int *place) {
  *place = -1;
  for (int i = 0; i < MAX_SOCKETS; i++) {
    if (dns->sockets[i].uv == NULL) {
      if (*place < 0) *place = i;
    } else if (dns->sockets[i].fd == fd) {
      *place = i;
      return dns->sockets[i].uv;
    }
  }
  return NULL;
}

// A socket that cannot be watched is looked at with the clock's next tick.
static void on_socket(void *data, ares_socket_t fd, int reads, int writes) {
  wf_dns *dns = data;
  int place;
  wf_uv *uv = poll_of(dns, fd, &place);
  if (reads == 0 && writes == 0) {
    if (uv != NULL) wf_uv_close(uv);
    if (uv != NULL) dns->sockets[place].uv = NULL;
    return;
  }
  if (uv == NULL) {
    uv = place >= 0 ? wf_uv_new(dns->vm, UV_POLL) : NULL;
    if (uv == NULL) return;
    if (uv_poll_init_socket(wf_handle_loop(dns->vm), &uv->u.poll, fd) != 0) {
      wf_uv_free(uv);
      return;
    }
    uv->owner = (struct wf_handle *)(void *)dns;
    uv->u.handle.data = uv;
    uv_unref(&uv->u.handle);
    dns->sockets[place].fd = fd;
    dns->sockets[place].uv = uv;
  }
  int events = (reads != 0 ? UV_READABLE : 0) | (writes != 0 ? UV_WRITABLE : 0);
  (void)uv_poll_start(&uv->u.poll, events, on_ready);
}

static void init_library(void) { (void)ares_library_init(ARES_LIB_INIT_ALL); }

static bool open_clock(wf_dns *dns) {
  dns->clock = wf_uv_new(dns->vm, UV_TIMER);
  if (dns->clock == NULL) return false;
  (void)uv_timer_init(wf_handle_loop(dns->vm), (uv_timer_t *)(void *)&dns->clock->u.handle);
  dns->clock->u.handle.data = dns->clock;
  dns->clock->owner = (struct wf_handle *)(void *)dns;
  uv_unref(&dns->clock->u.handle);
  return true;
}

// Other name servers than the system's: "address[:port],…".
static int set_servers(ares_channel channel) {
  const char *servers = getenv("WEFT_NAMESERVERS");
  return servers != NULL ? ares_set_servers_ports_csv(channel, servers) : ARES_SUCCESS;
}

static wf_dns *channel_of(wf_vm *vm, int *code) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  if (vm->dns != NULL) return vm->dns;
  (void)pthread_once(&once, init_library);
  *code = UV_ENOMEM;
  wf_dns *dns = wf_mem_new(&vm->rt->mem, sizeof *dns);
  if (dns == NULL) return NULL;
  dns->vm = vm;
  struct ares_options options = {.sock_state_cb = on_socket, .sock_state_cb_data = dns};
  int status = ares_init_options(&dns->channel, &options, ARES_OPT_SOCK_STATE_CB);
  bool has_channel = status == ARES_SUCCESS;
  if (has_channel) status = set_servers(dns->channel);
  if (status == ARES_SUCCESS && open_clock(dns)) {
    vm->dns = dns;
    return dns;
  }
  if (has_channel) ares_destroy(dns->channel);
  *code = status == ARES_SUCCESS ? UV_ENOMEM : code_of(status);
  wf_mem_free(&vm->rt->mem, dns, sizeof *dns);
  return NULL;
}

void wf_dns_close(wf_vm *vm) {
  wf_dns *dns = vm->dns;
  if (dns == NULL) return;
  vm->dns = NULL;
  ares_destroy(dns->channel);  // closes its sockets
  wf_uv_close(dns->clock);
  wf_mem_free(&vm->rt->mem, dns, sizeof *dns);
}

// The system's ----------------------------------------------------------------------------------

static void on_addrinfo(uv_getaddrinfo_t *req, int status, struct addrinfo *res) {
  query *q = wf_container_of(req, query, req);
  int code = status;
  for (const struct addrinfo *a = res; a != NULL && code == 0 && q->lookup != NULL;
       a = a->ai_next) {
    code = keep(q->lookup, a->ai_addr);
  }
  if (res != NULL) uv_freeaddrinfo(res);
  end(q, code);
}

static int family_of(int family) {
  return family == 4 ? AF_INET : family == 6 ? AF_INET6 : AF_UNSPEC;
}

static int ask_system(wf_vm *vm, query *q, int family) {
  struct addrinfo hints = {.ai_family = family_of(family), .ai_socktype = SOCK_STREAM};
  return uv_getaddrinfo(wf_handle_loop(vm), &q->req, on_addrinfo, q->lookup->host, NULL, &hints);
}

static int ask_ares(wf_vm *vm, query *q, int family) {
  int code = 0;
  q->dns = channel_of(vm, &code);
  if (q->dns == NULL) return code;
  struct ares_addrinfo_hints hints = {.ai_family = family_of(family), .ai_socktype = SOCK_STREAM};
  q->dns->queries++;
  run_clock(q->dns);
  // May end at once.
  ares_getaddrinfo(q->dns->channel, q->lookup->host, NULL, &hints, on_answer, q);
  return 0;
}

int wf_dns_start(wf_vm *vm, lua_State *L, const char *host, int family, bool by_system) {
  wf_dns_lookup *l = (wf_dns_lookup *)wf_obj_new(vm, L, &kind, &wf_tag_handle);
  wf_list_init(&l->waiters);
  if (strlen(host) >= sizeof l->host) return UV_EINVAL;
  memcpy(l->host, host, strlen(host) + 1);
  query *q = wf_mem_new(&vm->rt->mem, sizeof *q);
  if (q == NULL) return UV_ENOMEM;
  q->mem = vm->rt->mem;
  q->lookup = l;
  l->query = q;
  wf_obj_hold(&l->held, &l->obj);
  int rc = by_system ? ask_system(vm, q, family) : ask_ares(vm, q, family);
  if (rc != 0) end(q, rc);
  return 0;
}
