/* Owns what a value on the command line must look like. */
#ifndef VALUES_H
#define VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

/* Decimal digits only, at most `most`. */
bool parse_number(const char *text, uint64_t most, uint64_t *out);

/* Absolute, not the root, no control characters, no . and .. parts: what is removed later is what was named. */
bool is_path(const char *text);

/* [A-Za-z0-9_-]{1,64} */
bool is_id(const char *text);

/* Fields of [A-Za-z0-9_.:=-] with single spaces between them. */
bool is_head(const char *text);

/* NAME=value with a name that no loader or shell reads in another way; PATH is ours. */
bool is_variable(const char *text);

/* One to four times "INSIDE OUTSIDE COUNT", with single spaces between them. */
bool is_numbers(const char *text);

/* LETTER:VALUE:PATH, cut at the colons; the letter is one of LIMIT_LETTERS, or s for a bound of swap. */
bool parse_limit(char *text, struct limit *out);

/* UID:UID:GID:FOLDER, cut at the colons. */
bool parse_way(char *text, struct way *out);

/* ADDRESS=PORT=INSIDE, cut at the second sign; the address is numeric, the ports 1 to 65535. */
bool parse_publication(char *text, struct publication *out);

#endif
