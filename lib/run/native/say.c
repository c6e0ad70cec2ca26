/* Owns what the supervisor itself tells a person on stderr: short, bounded, never blocking the clean-up. */
#include "say.h"

#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LONGEST 1024
#define ESCAPED 4 /* bytes of \xNN */

static size_t escape(const char *text, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t size = 0;

	for (; *text != '\0'; text++) {
		const unsigned char c = (unsigned char)*text;

		if ((c >= 0x20 && c < 0x7f) || c == '\n') {
			out[size++] = (char)c;
			continue;
		}
		/* Beyond ASCII too: bidi and zero-width characters, and there is no locale here to tell them from letters. */
		memcpy(out + size, (char[ESCAPED]){ '\\', 'x', digits[c >> 4], digits[c & 15] }, ESCAPED);
		size += ESCAPED;
	}
	return size;
}

void say(const char *format, ...)
{
	static const char head[] = "sandbox: ";
	char text[LONGEST];
	char line[sizeof(head) + LONGEST * ESCAPED + 1];
	struct pollfd out = { .fd = STDERR_FILENO, .events = POLLOUT };
	va_list values;

	va_start(values, format);
	const int made = vsnprintf(text, sizeof(text), format, values);
	va_end(values);
	if (made < 0)
		return;
	memcpy(line, head, sizeof(head) - 1);
	size_t size = sizeof(head) - 1;
	size += escape(text, line + size);
	line[size++] = '\n';
	/* A pipe that is writable takes PIPE_BUF bytes without blocking, so a stopped reader costs a second, not the run. */
	if (size > PIPE_BUF)
		size = PIPE_BUF;
	if (poll(&out, 1, 1000) == 1 && write(STDERR_FILENO, line, size) < 0)
		return;
}

const char *why(int error)
{
	return strerror(error);
}
