// SPDX-License-Identifier: MIT
// Two runtimes in one thread, and values that go from one to the other as messages.
#ifndef SPEC_TWO_VMS_H
#define SPEC_TWO_VMS_H

#include <lua.h>

#include "api.h"
#include "task/codec.h"

// A runtime with the virtual clock; stops the program when there is none.
weft *two_vms_open(const weft_config *config);

static inline wf_vm *two_vms_vm(weft *w) { return &w->rt.vm; }

// Gives the scripts of `from` the function
//   there(fn, ...)        runs fn(...) in `to`, and returns its results: everything crosses
//   there_unchecked(...)  the same for a function that assigns and stores
//   refused(fn, ...)      why there(fn, ...) would be refused, or nil
//   pass(...)             the values as they come back from `to`, having crossed twice
//   weigh(...)            bytes, long strings, objects, functions of the message, whether
//   allocated
//   step()                runs what is ready in `to`
//   cores()               how many shared objects there are that somebody can reach
//   listed()              how many there are, whoever can reach them
//   plain(yes)            makes `to` load every function anew
void two_vms_connect(weft *from, weft *to);

#endif
