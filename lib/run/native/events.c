/* Owns what the kernel tells of limits that were met. */
#include "events.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LONGEST 1024

static bool read_events(int file, char *text)
{
	const ssize_t size = pread(file, text, LONGEST - 1, 0);

	text[size > 0 ? size : 0] = '\0';
	return size > 0;
}

uint64_t count_events(const char *path, const char *key)
{
	const size_t length = strlen(key);
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	char text[LONGEST] = "";

	if (file < 0)
		return 0;
	read_events(file, text);
	close(file);
	for (const char *line = text; line != NULL && *line != '\0'; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return strtoull(line + length, NULL, 10);
	}
	return 0;
}

uint64_t count_oom_kills(const char *path)
{
	return count_events(path, "oom_kill");
}

uint64_t count_refused_forks(const char *path)
{
	return count_events(path, "max");
}

/*
 * v1 tells by an eventfd that is given to cgroup.event_control (cgroup-v1/memory.rst, "OOM Control"); it tells before
 * it kills.
 */
static int register_event(const char *path, int file)
{
	static const char name[] = "cgroup.event_control";
	const char *slash = strrchr(path, '/');
	char control[PATH_MAX + sizeof(name)];
	char text[32];

	snprintf(control, sizeof(control), "%.*s/%s", (int)(slash - path), path, name);
	const int to = open(control, O_WRONLY | O_CLOEXEC);
	const int event = to < 0 ? -1 : eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	const int size = snprintf(text, sizeof(text), "%d %d", event, file);
	const bool done = event >= 0 && write(to, text, (size_t)size) == size;
	if (to >= 0)
		close(to);
	if (done)
		return event;
	if (event >= 0)
		close(event);
	return -1;
}

int watch_oom_kills(const char *path, short *events)
{
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	char text[LONGEST];

	if (file < 0)
		return -1;
	if (strstr(path, "/memory.oom_control") == NULL) {
		/* v2 reports a change since the last reading as POLLPRI (cgroup-v2.rst, "memory.events"). */
		*events = POLLPRI;
		read_events(file, text);
		return file;
	}
	*events = POLLIN;
	const int event = register_event(path, file);
	/* Else it stays open: `sandbox verify` sees by it, from outside, that somebody watches. */
	if (event < 0)
		close(file);
	return event;
}

void note_oom_event(int file)
{
	char text[LONGEST];
	eventfd_t ignored;

	/* An eventfd has no position to read from; the other is read for the kernel to see it. */
	if (!read_events(file, text))
		eventfd_read(file, &ignored);
}
