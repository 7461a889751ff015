// SPDX-License-Identifier: MIT
// Fields that one thread owns and another one peeks at. Only the owner writes; it reads them as
// the ordinary memory that they are. Each use names the operation that it pairs with.
#ifndef WF_BASE_PEEK_H
#define WF_BASE_PEEK_H

// No order, but no torn value either: for counters, and for what is checked in another way.
#define wf_load_relaxed(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define wf_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)

// What was written before the store is seen after the load that gets its value.
#define wf_load_acquire(p) __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define wf_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)

// For "publish, then look": of two threads that each store one field and then load the other's, at
// least one sees the other's store. Nothing weaker gives that.
#define wf_load_seq_cst(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define wf_store_seq_cst(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)

#endif
