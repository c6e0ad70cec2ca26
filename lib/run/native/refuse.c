/* Owns telling why a run does not start; lib/run/invoke.ts reads the line and throws its code. */
#include "refuse.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "say.h"

#define LONGEST 1024

void refuse(const struct options *options, const char *code, const char *remedy, const char *format, ...)
{
	char message[LONGEST];
	char line[2 * LONGEST];
	va_list values;

	va_start(values, format);
	vsnprintf(message, sizeof(message), format, values);
	va_end(values);
	if (options->result_fd < 0) {
		say("%s\n  %s", message, remedy);
		return;
	}
	const int size = snprintf(line, sizeof(line), "fail\t%s\t%s\t%s\n", code, message, remedy);
	if (size < 0 || write(options->result_fd, line, (size_t)size) != size)
		say("%s\n  %s", message, remedy);
}
