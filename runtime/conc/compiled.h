// SPDX-License-Identifier: MIT
// What compiled code calls through the FFI, of unbuffered channels and of objects of weft.sync
// that have crossed: such a call does not leave the trace, and sees nothing of Lua. The object is
// what `proxy`, the address of its userdata, stands for. These do what needs no wait.
#ifndef WF_CONC_COMPILED_H
#define WF_CONC_COMPILED_H

#include <stdbool.h>

// A number to or from another task of this VM. False, NaN: the channel is not known just now,
// nobody waits on the other side, it has crossed, … and nothing has happened. (A sender's NaN has
// to be asked for otherwise.)
bool wf_compiled_send(const void *proxy, double v);
double wf_compiled_recv(const void *proxy);

// False, NaN, -1: the object is not known just now, or it cannot be done so, and nothing has
// happened. Else as of conc/latch.h, where 0 stands for false, and conc/word.h.
bool wf_compiled_take(const void *proxy, double units);
int wf_compiled_give(const void *proxy, double units);
int wf_compiled_add(const void *proxy, double n);
double wf_compiled_word_load(const void *proxy);
double wf_compiled_word_swap(const void *proxy, double v);
double wf_compiled_word_add(const void *proxy, double n);
int wf_compiled_word_cas(const void *proxy, double old, double v);

#endif
