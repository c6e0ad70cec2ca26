/* Owns where UTF-8 text may be cut. */
#ifndef UTF8_H
#define UTF8_H

#include <stddef.h>

/* How much of `size` bytes stays when an unfinished multi-byte sequence at the end is taken off (at most 3 bytes). */
size_t cut_utf8(const unsigned char *text, size_t size);

#endif
