// SPDX-License-Identifier: MIT
// Capacities that nothing may depend on. In the torture build (WEFT_TORTURE) they are tiny, so
// that what happens seldom, growing, running over, falling back, happens all the time.
// Symbols: WF_SIZE
#ifndef WF_BASE_SIZE_H
#define WF_BASE_SIZE_H

#ifdef WEFT_TORTURE
#define WF_SIZE(normal, tiny) (tiny)
#else
#define WF_SIZE(normal, tiny) (normal)
#endif

#endif
