/* Owns reading a file of a few lines. */
#ifndef SMALLFILE_H
#define SMALLFILE_H

#include <stddef.h>
#include <sys/types.h>

/* Up to `room` - 1 bytes of `path`, and a NUL after them; how many, -1 when it cannot be read. `flags` go to open(2). */
ssize_t read_small_file(const char *path, int flags, char *text, size_t room);

#endif
