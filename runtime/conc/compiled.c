// SPDX-License-Identifier: MIT
#include "conc/compiled.h"

#include <math.h>

#include "conc/chan.h"
#include "conc/sync.h"
#include "conc/word.h"
#include "task/task.h"

// NULL: not known, or not one whose values go straight from task to task; or the running task has
// a context of its own, which comes first.
static wf_chan *known_chan(const void *proxy) {
  wf_chan *ch = (wf_chan *)wf_obj_if_known(proxy, &wf_tag_chan);
  return ch != NULL && ch->direct && ch->obj.vm->own == NULL ? ch : NULL;
}

bool wf_compiled_send(const void *proxy, double v) {
  wf_chan *ch = known_chan(proxy);
  return ch != NULL && wf_chan_offer_number(ch, v);
}

double wf_compiled_recv(const void *proxy) {
  wf_chan *ch = known_chan(proxy);
  double v;
  return ch != NULL && wf_chan_take_number(ch, &v) ? v : NAN;
}

// NULL: it is none that has crossed, of none of these types, or it is not known just now.
static wf_latch *known(const void *proxy, unsigned types) {
  const wf_obj *obj = wf_obj_if_known(proxy, &wf_tag_queue);
  if (obj == NULL || !obj->shared) return NULL;
  const wf_sync *sync = wf_sync_of(obj);
  return sync != NULL && (types >> sync->type & 1) != 0 ? wf_sync_latch(sync) : NULL;
}

enum {
  LOCKS = 1 << WF_SYNC_MUTEX | 1 << WF_SYNC_RWMUTEX | 1 << WF_SYNC_SEMAPHORE,
  COUNTERS = 1 << WF_SYNC_WAITGROUP,
  WORDS = 1 << WF_SYNC_INT | 1 << WF_SYNC_BOOL,
};

bool wf_compiled_take(const void *proxy, double units) {
  wf_latch *latch = known(proxy, LOCKS);
  if (latch == NULL) return false;
  const wf_task *task = wf_vm_here->current;
  return wf_latch_take(latch, (int64_t)units, task != NULL ? task->id : 0);
}

int wf_compiled_give(const void *proxy, double units) {
  wf_latch *latch = known(proxy, LOCKS);
  return latch != NULL ? wf_latch_give(latch, (int64_t)units) : -1;
}

int wf_compiled_add(const void *proxy, double n) {
  wf_latch *latch = known(proxy, COUNTERS);
  return latch != NULL ? wf_latch_add(latch, (int64_t)n) : -1;
}

double wf_compiled_word_load(const void *proxy) {
  const wf_latch *latch = known(proxy, WORDS);
  return latch != NULL ? (double)wf_word_load(latch) : NAN;
}

double wf_compiled_word_swap(const void *proxy, double v) {
  wf_latch *latch = known(proxy, WORDS);
  return latch != NULL ? (double)wf_word_swap(latch, (int64_t)v) : NAN;
}

double wf_compiled_word_add(const void *proxy, double n) {
  wf_latch *latch = known(proxy, WORDS);
  int64_t sum;
  return latch != NULL && wf_word_add(latch, (int64_t)n, &sum) ? (double)sum : NAN;
}

int wf_compiled_word_cas(const void *proxy, double old, double v) {
  wf_latch *latch = known(proxy, WORDS);
  return latch != NULL ? wf_word_compare_and_swap(latch, (int64_t)old, (int64_t)v) : -1;
}
