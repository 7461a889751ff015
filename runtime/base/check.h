// SPDX-License-Identifier: MIT
// Broken invariants. WF_CHECK stays in every build, WF_ASSERT is for debug builds. Either ends the
// process with a message and abort(), because a runtime whose lists are wrong cannot go on safely.
// Symbols: wf_broken
#ifndef WF_BASE_CHECK_H
#define WF_BASE_CHECK_H

#include <stddef.h>

_Noreturn void wf_broken(const char *file, int line, const char *what);

#define WF_CHECK(cond) ((cond) ? (void)0 : wf_broken(__FILE__, __LINE__, #cond))

#ifdef WEFT_DEBUG
#define WF_ASSERT(cond) WF_CHECK(cond)
#else
#define WF_ASSERT(cond) ((void)0)
#endif

// For what analysers cannot see; a debug build checks it.
#ifdef WEFT_DEBUG
#define WF_ASSUME(cond) WF_CHECK(cond)
#else
#define WF_ASSUME(cond) ((cond) ? (void)0 : __builtin_unreachable())
#endif

#define WF_LIKELY(x) __builtin_expect(!!(x), 1)
#define WF_UNLIKELY(x) __builtin_expect(!!(x), 0)
// A hint: any address will do.
#define WF_PREFETCH(address) __builtin_prefetch(address)
// So many cache lines from there on. (No function: gcc 12 may take one that only prefetches for
// one that does nothing.)
#define WF_PREFETCH_LINES(address, n)                \
  for (size_t wf_line = 0; wf_line < (n); wf_line++) \
  WF_PREFETCH((const char *)(address) + 64 * wf_line)

#endif
