/* Owns reading the OCI runtime's log. It quotes paths and names that callers chose: nothing of it is printed raw. */
#include "launchlog.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "say.h"

#define LONGEST_MESSAGE 400

/* A JSON string without its quotes, escapes as written. */
struct text {
	const char *at;
	size_t size;
};

static bool equals(struct text text, const char *word)
{
	return text.size == strlen(word) && memcmp(text.at, word, text.size) == 0;
}

/* `at` stands on the opening quote; returns the byte behind the closing one, or NULL. */
static const char *read_string(const char *at, const char *end, struct text *out)
{
	const char *from = ++at;

	for (; at < end && *at != '"'; at++)
		if (*at == '\\')
			at++;
	if (at >= end)
		return NULL;
	*out = (struct text){ from, (size_t)(at - from) };
	return at + 1;
}

/* The message when the line is an error. Log lines are flat objects of strings; other values are stepped over. */
static bool read_line(const char *at, const char *end, struct text *message)
{
	struct text key = { NULL, 0 };
	struct text value;
	bool is_error = false;
	bool is_key = true;

	*message = (struct text){ "", 0 };
	while (at != NULL && at < end) {
		if (*at == ':' || *at == ',' || *at == '{') {
			is_key = *at != ':';
			at++;
			continue;
		}
		if (*at != '"') {
			at++;
			continue;
		}
		at = read_string(at, end, &value);
		if (at == NULL)
			break;
		if (is_key)
			key = value;
		else if (equals(key, "msg"))
			*message = value;
		else if (equals(key, "level"))
			is_error = equals(value, "error");
	}
	return is_error;
}

/* The escapes of JSON stay as they are, which keeps controls off the terminal, but for those of plain characters. */
static void unescape(struct text text, char *out, size_t room)
{
	static const char mark[] = "...";
	const size_t most = room - sizeof(mark);
	size_t size = 0;
	size_t i = 0;

	for (; i < text.size && size < most; i++) {
		if (text.at[i] == '\\' && i + 1 < text.size && (text.at[i + 1] == '"' || text.at[i + 1] == '/'))
			continue;
		out[size++] = text.at[i] < ' ' && text.at[i] >= 0 ? ' ' : text.at[i];
	}
	memcpy(out + size, i < text.size ? mark : "", i < text.size ? sizeof(mark) : 1);
}

/* Too many processes is nothing that the doctor would see. crun 1.8.1 then misses our init, which it looks for outside. */
static const char *find_remedy(const char *shown)
{
	const bool exhausted = strstr(shown, "Resource temporarily unavailable") != NULL ||
			       strstr(shown, "`/.cofferdam/init` not found") != NULL;

	return exhausted ? "it has no process to spare (limits.pids): end some of its processes" : "sandbox doctor";
}

bool say_launch_error(const char *path, const char *attempt)
{
	static char log[16 * 1024];
	char shown[LONGEST_MESSAGE];
	const int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	const ssize_t size = file < 0 ? 0 : read(file, log, sizeof(log));
	const char *at = log;

	if (file >= 0)
		close(file);
	while (size > 0 && at < log + size) {
		const char *end = memchr(at, '\n', (size_t)(log + size - at));
		struct text message;

		if (end == NULL)
			end = log + size;
		if (read_line(at, end, &message)) {
			unescape(message, shown, sizeof(shown));
			say("cannot %s the sandbox: %s\n  %s", attempt, shown, find_remedy(shown));
			return true;
		}
		at = end + 1;
	}
	return false;
}
