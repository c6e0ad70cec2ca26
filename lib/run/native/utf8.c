/* Owns where UTF-8 text may be cut (RFC 3629, table of well-formed sequences). Bytes that are no UTF-8 stay as they are. */
#include "utf8.h"

#include <stdbool.h>

static size_t sequence_length(unsigned char lead)
{
	if (lead >= 0xc2 && lead <= 0xdf)
		return 2;
	if (lead >= 0xe0 && lead <= 0xef)
		return 3;
	if (lead >= 0xf0 && lead <= 0xf4)
		return 4;
	return 1;
}

/* The second byte of some leads has a narrower range: overlong forms, surrogates, beyond U+10FFFF. */
static bool second_fits(unsigned char lead, unsigned char second)
{
	switch (lead) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second <= 0x9f;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second <= 0x8f;
	default:
		return true;
	}
}

size_t cut_utf8(const unsigned char *text, size_t size)
{
	for (size_t back = 1; back <= 3 && back <= size; back++) {
		const unsigned char *at = text + size - back;

		if ((*at & 0xc0) == 0x80)
			continue;
		if (sequence_length(*at) <= back)
			return size;
		if (back > 1 && !second_fits(*at, at[1]))
			return size;
		return size - back;
	}
	return size;
}
