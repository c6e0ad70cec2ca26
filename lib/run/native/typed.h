/* Owns what callers who are attached to a sandbox type, and the sizes of their terminals. */
#ifndef TYPED_H
#define TYPED_H

#include <stdbool.h>

#include "options.h"

/*
 * With --typed: makes the fifo, which only its owner may write to. Frames are written to it whole, at most PIPE_BUF each: a letter,
 * the size of what follows (2 bytes, big-endian), and that: `d` bytes for the program, `e` nothing, the end of them, `w` rows and
 * columns (2 bytes each, big-endian). Gives its descriptor, -1 when none is asked for; false, and said why, when there is none.
 */
bool open_typed(const struct options *options, int *typed);

/* Starts the thread that passes them on: bytes to `to` (-1: nobody takes them), sizes to `terminal` (-1: none). */
bool start_typed(int typed, int to, int terminal);

#endif
