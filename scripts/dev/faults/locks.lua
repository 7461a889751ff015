-- SPDX-License-Identifier: MIT
-- Faults in the three locks of a channel that has crossed, and in what goes on under which of
-- them (for faults.lua). Each has to be noticed by the model, also where another spec does too.
return {
  { file = "runtime/conc/shared.c",
    { "who closes does not stop who takes", "model/shared_model",
      "  wf_brief_acquire(&ch->ring.take.lock);\n  wf_brief_acquire(&ch->ring.put.lock);\n}",
      "  wf_brief_acquire(&ch->ring.put.lock);\n}" },
    { "two sides' locks are all locks", "model/shared_model",
      "static void acquire(wf_shared *ch) {\n  wf_lock_acquire(&ch->core.lock);\n" ..
      "  wf_shared_stop_locked(ch);\n}\n\nstatic void release(wf_shared *ch) {\n" ..
      "  wf_shared_go_on_locked(ch);\n  wf_lock_release(&ch->core.lock);\n}\n",
      "static void acquire(wf_shared *ch) {\n  wf_brief_acquire(&ch->ring.take.lock);\n" ..
      "  wf_brief_acquire(&ch->ring.put.lock);\n}\n\nstatic void release(wf_shared *ch) {\n" ..
      "  wf_shared_go_on_locked(ch);\n}\n" },
    { "the core's lock is all locks", "model/shared_model",
      "  wf_shared_stop_locked(ch);\n}\n\nstatic void release(wf_shared *ch) {\n" ..
      "  wf_shared_go_on_locked(ch);\n",
      "}\n\nstatic void release(wf_shared *ch) {\n" ..
      "  ch->calm = wf_list_empty(&ch->recvq) && wf_list_empty(&ch->sendq) && " ..
      "ch->carriers == 0;\n" },
    { "one side's lock is taken before the core's", "model/shared_model",
      "  wf_lock_acquire(&ch->core.lock);\n  wf_shared_stop_locked(ch);\n}",
      "  wf_brief_acquire(&ch->ring.take.lock);\n  wf_lock_acquire(&ch->core.lock);\n" ..
      "  wf_brief_acquire(&ch->ring.put.lock);\n}" },
    { "it is said that a channel is calm when the locks are free", "model/shared_model",
      "  ch->calm = wf_list_empty(&ch->recvq) && wf_list_empty(&ch->sendq) && " ..
      "ch->carriers == 0;\n  wf_brief_release(&ch->ring.put.lock);\n" ..
      "  wf_brief_release(&ch->ring.take.lock);\n",
      "  wf_brief_release(&ch->ring.put.lock);\n  wf_brief_release(&ch->ring.take.lock);\n" ..
      "  ch->calm = wf_list_empty(&ch->recvq) && wf_list_empty(&ch->sendq) && " ..
      "ch->carriers == 0;\n" },
    { "a channel stays calm when somebody begins to wait", "model/shared_model",
      "  ch->calm = wf_list_empty(&ch->recvq) && wf_list_empty(&ch->sendq) && " ..
      "ch->carriers == 0;\n",
      "  ch->calm |= wf_list_empty(&ch->recvq) && wf_list_empty(&ch->sendq) && " ..
      "ch->carriers == 0;\n" },
    { "a channel with cores in it is calm", "model/shared_model",
      "wf_list_empty(&ch->sendq) && ch->carriers == 0;", "wf_list_empty(&ch->sendq);" },
    { "cores that have been taken are still counted", "model/shared_model",
      "    ch->carriers--;\n", "" },
    { "a channel is calm beside a receiver that waits", "model/shared_model",
      "ch->calm = wf_list_empty(&ch->recvq) && ", "ch->calm = " },
    { "a channel is calm beside a sender that waits", "model/shared_model",
      "wf_list_empty(&ch->sendq) && ch->carriers", "ch->carriers" },
    { "who looks for cores looks into a calm channel", "model/shared_model",
      "  if (ch->carriers == 0) return;  // it may be calm\n", "" },
    { "who sends does not look whether the channel is calm", "model/shared_model",
      "ch->calm && !ch->closed ? wf_ring_room(&ch->ring) : NULL;",
      "!ch->closed ? wf_ring_room(&ch->ring) : NULL;" },
    { "who receives does not look whether the channel is calm", "model/shared_model",
      "ch->calm ? wf_ring_first(&ch->ring) : NULL;", "wf_ring_first(&ch->ring);" },
    { "who sends looks whether the channel is calm and then locks", "model/shared_model",
      "  wf_brief_acquire(&ch->ring.put.lock);\n  wf_message *slot = ch->calm &&",
      "  bool calm = ch->calm;\n  wf_brief_acquire(&ch->ring.put.lock);\n" ..
      "  wf_message *slot = calm &&" },
    { "who receives looks whether the channel is calm and then locks", "model/shared_model",
      "  wf_brief_acquire(&ch->ring.take.lock);\n  wf_message *slot = ch->calm ?",
      "  bool calm = ch->calm;\n  wf_brief_acquire(&ch->ring.take.lock);\n" ..
      "  wf_message *slot = calm ?" },
    { "a full channel that is not calm blocks who sends", "model/shared_model",
      "  } else if (ch->calm && ch->ring.size == ch->limit) {",
      "  } else if (ch->ring.size == ch->limit) {" },
    { "a channel that is not calm has no value", "model/shared_model",
      "  if (ch->calm) *result = ch->closed", "  *result = ch->closed" },
    { "who receives needs no lock", "model/shared_model",
      "  wf_brief_acquire(&ch->ring.take.lock);\n  wf_message *slot",
      "  (void)wf_brief_try(&ch->ring.take.lock);\n  wf_message *slot" },
    { "who sends needs no lock", "model/shared_model",
      "  wf_brief_acquire(&ch->ring.put.lock);\n  wf_message *slot",
      "  (void)wf_brief_try(&ch->ring.put.lock);\n  wf_message *slot" },
    { "a closed channel takes values", "model/shared_model",
      "ch->calm && !ch->closed ? wf_ring_room", "ch->calm ? wf_ring_room" },
    { "who receives from a closed channel would wait", "model/shared_model",
      "*result = ch->closed ? WF_SHARED_CLOSED : WF_SHARED_BLOCK;",
      "*result = WF_SHARED_BLOCK;" },
    { "who puts is alone no longer when it says so", "model/shared_model",
      "  wf_ring_put(&ch->ring);\n  wf_fence();\n  wf_brief_release(&ch->ring.put.lock);\n",
      "  wf_brief_release(&ch->ring.put.lock);\n  wf_ring_put(&ch->ring);\n  wf_fence();\n" },
    { "who takes is alone no longer when it says so", "model/shared_model",
      "  if (taken) {\n    wf_ring_drop(&ch->ring);\n    wf_fence();\n  }\n" ..
      "  wf_brief_release(&ch->ring.take.lock);\n",
      "  wf_brief_release(&ch->ring.take.lock);\n" ..
      "  if (taken) {\n    wf_ring_drop(&ch->ring);\n    wf_fence();\n  }\n" },
    { "a put has no fence", "model/shared_model",
      "  wf_ring_put(&ch->ring);\n  wf_fence();\n", "  wf_ring_put(&ch->ring);\n" },
    { "a take has no fence", "model/shared_model",
      "    wf_ring_drop(&ch->ring);\n    wf_fence();\n", "    wf_ring_drop(&ch->ring);\n" },
    { "the fence of a put comes before it", "model/shared_model",
      "  wf_ring_put(&ch->ring);\n  wf_fence();\n", "  wf_fence();\n  wf_ring_put(&ch->ring);\n" },
    { "the fence of a take comes before it", "model/shared_model",
      "    wf_ring_drop(&ch->ring);\n    wf_fence();\n",
      "    wf_fence();\n    wf_ring_drop(&ch->ring);\n" },
    { "the put is told before the value is there", "model/shared_model",
      "  *slot = *m;\n  end_put(ch);\n", "  end_put(ch);\n  *slot = *m;\n" },
    { "the take is told before the value is read", "model/shared_model",
      "    *m = *slot;\n    end_take(ch, true);\n", "    end_take(ch, true);\n    *m = *slot;\n" },
    { "a ring grows with one side's lock", "model/shared_model",
      "ch->calm && !ch->closed ? wf_ring_room(&ch->ring) : NULL;",
      "ch->calm && !ch->closed && reserve(ch) ? wf_ring_room(&ch->ring) : NULL;" },
    { "a channel that cannot grow takes a value", "model/shared_model",
      "  if (WF_UNLIKELY(!reserve(ch))) return WF_SHARED_NO_MEMORY;\n", "  (void)reserve(ch);\n" },
    { "a select is told that there is a value", "model/shared_model",
      "!wf_list_empty(&ch->sendq) || wf_ring_count(&ch->ring) > 0;", "true;" },
    { "a sender looks and then queues", "model/shared_model",
      "  if (result == WF_SHARED_BLOCK) wf_remote_queue(wait, place, &ch->sendq);\n",
      "  release(ch);\n  acquire(ch);\n" ..
      "  if (result == WF_SHARED_BLOCK) wf_remote_queue(wait, place, &ch->sendq);\n" },
    { "who is sent a value is not told", "model/shared_model",
      "  wf_shared_result result = give(ch, m, &woken);\n  release(ch);\n" ..
      "  wf_remote_post(woken);\n",
      "  wf_shared_result result = give(ch, m, &woken);\n  release(ch);\n" },
    { "whose value is taken is not told", "model/shared_model",
      "  result = take(ch, m, &woken);\n  release(ch);\n  wf_remote_post(woken);\n",
      "  result = take(ch, m, &woken);\n  release(ch);\n" },
    { "whose value compiled code takes is not told", "model/shared_model",
      "(void)take(ch, &m, &woken);\n  release(ch);\n  wf_remote_post(woken);\n",
      "(void)take(ch, &m, &woken);\n  release(ch);\n" },
    { "who waits is told under the locks", "model/shared_model",
      "  wf_shared_result result = give(ch, m, &woken);\n  release(ch);\n" ..
      "  wf_remote_post(woken);\n",
      "  wf_shared_result result = give(ch, m, &woken);\n  wf_remote_post(woken);\n" ..
      "  release(ch);\n" },
    { "compiled code drops what it cannot read", "model/shared_model",
      "    end_take(ch, what != WF_SHARED_NOTHING);\n", "    end_take(ch, true);\n" },
    { "who only looks keeps the lock", "model/shared_model",
      "    wf_brief_release(&ch->ring.put.lock);\n    return true;\n", "    return true;\n" },
    { "who only looks for a value keeps the lock", "model/shared_model",
      "    end_take(ch, false);\n    return true;\n", "    return true;\n" },
    { "who only looks for a value takes it", "model/shared_model",
      "    end_take(ch, false);\n", "    end_take(ch, true);\n" },
    { "a sender that waits overtakes what is buffered", "model/shared_model",
      "    push(ch, &sender->message);\n  } else {\n    *m = sender->message;\n  }\n",
      "    push(ch, m);\n  }\n  *m = sender->message;\n" },
    { "a message that is taken stays with who waited", "model/shared_model",
      "  sender->message.parcel = NULL;\n", "" },
    { "who closes forgets those who wait to send", "model/shared_model",
      "    settle_all(ch, &ch->sendq, &list);\n", "" },
    { "who closes forgets those who wait to receive", "model/shared_model",
      "    settle_all(ch, &ch->recvq, &list);\n", "" },
    { "who counts values needs no lock", "model/shared_model",
      "  wf_brief_acquire(&ch->ring.take.lock);\n  uint32_t n = wf_ring_count(&ch->ring);\n" ..
      "  wf_brief_release(&ch->ring.take.lock);\n",
      "  uint32_t n = wf_ring_count(&ch->ring);\n" },
    { "who asks whether a channel is closed needs no lock", "model/shared_model",
      "  wf_lock_acquire(&ch->core.lock);\n  bool closed = ch->closed;\n" ..
      "  wf_lock_release(&ch->core.lock);\n", "  bool closed = ch->closed;\n" },
    { "who asks for a channel's error needs no lock", "model/shared_model",
      "  wf_lock_acquire(&ch->core.lock);\n" ..
      "  const wf_message *error = ch->has_error ? &ch->error : NULL;\n" ..
      "  wf_lock_release(&ch->core.lock);\n",
      "  const wf_message *error = ch->has_error ? &ch->error : NULL;\n" },
  },

  { file = "runtime/task/remote.c",
    { "who gives up a wait needs no lock", "model/shared_model",
      "    wf_lock_acquire(&place->core->lock);\n" ..
      "    if (wf_link_in_list(&place->link)) wf_list_remove(&place->link);\n" ..
      "    wf_lock_release(&place->core->lock);\n",
      "    if (wf_link_in_list(&place->link)) wf_list_remove(&place->link);\n" },
    { "who finds a wait claimed leaves it in the queue", "model/shared_model",
      "    wf_remote_place *place = pop_wait(queue, rand);\n    if (mine) return place;\n",
      "    if (mine) return pop_wait(queue, rand);\n    break;\n" },
  },

  { file = "runtime/conc/wait_all.c",
    { "a select takes locks in the order of its cases", "model/shared_model",
      "  sort_cores(j);\n", "  (void)sort_cores;\n" },
    { "a select stops one channel after the other", "model/shared_model",
      "  for (size_t i = 0; i < j->ncores; i++) " ..
      "wf_shared_stop_locked((wf_shared *)j->cores[i]);\n  bool ready = false;\n" ..
      "  for (int i = 0; i < j->n && !ready; i++) {\n" ..
      "    ready = is_shared(&j->cases[i]) && is_ready_locked(&j->cases[i]);\n  }\n",
      "  bool ready = false;\n  for (int i = 0; i < j->n && !ready; i++) {\n" ..
      "    ready = is_shared(&j->cases[i]) && is_ready_locked(&j->cases[i]);\n  }\n" ..
      "  for (size_t i = 0; i < j->ncores; i++) " ..
      "wf_shared_stop_locked((wf_shared *)j->cores[i]);\n" },
    { "a select needs the cores' locks alone", "model/shared_model",
      "  for (size_t i = 0; i < j->ncores; i++) " ..
      "wf_shared_stop_locked((wf_shared *)j->cores[i]);\n",
      "  for (size_t i = 0; i < j->ncores; i++) wf_lock_assert_held(&j->cores[i]->lock);\n" },
  },

  { file = "runtime/conc/ring.h",
    { "a channel's side tells of a slot too early", "model/shared_model",
      "wf_u64_store(&side->done, done + 1, WF_RELEASE);",
      "wf_u64_store(&side->done, done + 1, WF_RELAXED);" },
    { "who sends looks at the takes relaxed", "model/shared_model",
      "side->seen = wf_u64_load(&ring->take.done, WF_ACQUIRE);",
      "side->seen = wf_u64_load(&ring->take.done, WF_RELAXED);" },
    { "who receives looks at the puts relaxed", "model/shared_model",
      "side->seen = wf_u64_load(&ring->put.done, WF_ACQUIRE);",
      "side->seen = wf_u64_load(&ring->put.done, WF_RELAXED);" },
  },

  { file = "runtime/conc/ring.c",
    { "a channel that grows begins anew at its end", "model/shared_model",
      "  ring->put.at = n < size ? n : 0;\n", "  ring->put.at = 0;\n" },
    { "a channel that grows forgets where it begins", "model/shared_model",
      "  ring->take.at = 0;\n", "" },
  },

  { file = "runtime/base/brief.h",
    { "a side's lock is taken relaxed", "model/shared_model",
      "&taken, 1, WF_ACQUIRE)", "&taken, 1, WF_RELAXED)" },
    { "a side's lock is given back relaxed", "model/shared_model",
      "&brief->taken, 0, WF_RELEASE)", "&brief->taken, 0, WF_RELAXED)" },
    { "a side's lock lets everybody in", "model/shared_model",
      "return wf_u64_cas(&brief->taken, &taken, 1, WF_ACQUIRE);  // pairs with the release",
      "(void)wf_u64_cas(&brief->taken, &taken, 1, WF_ACQUIRE);\n  return true;" },
    { "who waits for a side's lock comes in at once", "model/shared_model",
      "  if (!wf_brief_try(brief)) wf_brief_wait(brief);\n", "  (void)wf_brief_try(brief);\n" },
  },
}
