// SPDX-License-Identifier: MIT
// Numbers as bytes, and messages that are one number: the commonest ones, which allocate nothing
// on either side.
#ifndef WF_TASK_SCALAR_H
#define WF_TASK_SCALAR_H

#include <stdbool.h>
#include <stdint.h>

#include "task/message.h"

// At most so many bytes.
enum { WF_SCALAR_MAX = 11 };

// Writes tag and value; what comes after them.
uint8_t *wf_scalar_put(uint8_t *at, double v);

// Whether the tag is a number's.
bool wf_scalar_is_tag(uint8_t tag);

// Reads what follows the tag; what comes after that, or NULL: there is too little.
const uint8_t *wf_scalar_get(uint8_t tag, const uint8_t *at, const uint8_t *end, double *v);

void wf_scalar_pack(wf_message *m, double v);

// False: the message is something else.
bool wf_scalar_unpack(const wf_message *m, double *v);

#endif
