// SPDX-License-Identifier: MIT
// Standard input, output and error as streams. What somebody else may have open as well, and what
// print and io.write go to, stays as it is: a pipe or a terminal is opened once more, so that this
// side alone does not block; a file, and what cannot be opened again, is read and written at once.
// Symbols: wf_stdio
#ifndef WF_IO_STDIO_H
#define WF_IO_STDIO_H

#include "io/stream.h"

// Pushes a userdata with standard input (0), output (1) or error (2), and returns 0; or a code of
// libuv's. Raises when memory is out.
int wf_stdio_open(wf_vm *vm, lua_State *L, int number);

// What C's stdio has still to write goes first.
void wf_stdio_flush(const wf_stream *s);

// The stream has been closed by its owner: nobody writes there any more, nor does the number come
// to mean anything else.
void wf_stdio_give_up(int number);

#endif
