// SPDX-License-Identifier: MIT
// Records: small tables whose keys are short names and whose values are numbers, as compiled code
// sends them over a channel that has crossed, without leaving its trace (lua/weft/internal/
// record.lua). Their keys, in the order in which `next` gives them, are a shape, which has a
// number in the whole process; a message has the number and the values.
//
// Shapes are few and stay: who sends a new one when the table is full sends it as any other table.
// One table for all runtimes, as nothing in it is anybody's.
#ifndef WF_TASK_RECORD_H
#define WF_TASK_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "task/message.h"

enum {
  WF_RECORD_FIELDS = 5,  // what a message has room for
  WF_RECORD_NAME = 24,   // bytes of a name, with the zero
  WF_RECORD_SHAPES = 256,
};

typedef struct wf_record_shape {
  uint32_t fields;
  char names[WF_RECORD_FIELDS][WF_RECORD_NAME];
} wf_record_shape;

// The number of the shape, from 1; 0: there is no room for it.
uint32_t wf_record_number(const wf_record_shape *shape);

// The shape with that number, which came from wf_record_number on whatever thread; NULL: none.
const wf_record_shape *wf_record_shape_at(uint32_t number);

void wf_record_pack(wf_message *m, uint32_t number, const double *values);

// The number of the record's shape and its values; 0: the message is something else.
uint32_t wf_record_unpack(const wf_message *m, double values[WF_RECORD_FIELDS]);

#endif
