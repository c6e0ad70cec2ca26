/* Owns ending what one execution started, where no control group holds it: by a mark that each of its processes bears. */
#include "end.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MOST_STATUS 8192 /* of /proc/PID/status up to its groups */
#define MOST_PASSES 500
#define LOOK_MS 10

static void pause_ms(long ms)
{
	const struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static bool read_status(const char *pid, char *text, size_t room)
{
	char path[300];

	snprintf(path, sizeof(path), "/proc/%s/status", pid);
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t size = file < 0 ? -1 : read(file, text, room - 1);

	if (file >= 0)
		close(file);
	text[size > 0 ? size : 0] = '\0';
	return size > 0;
}

/* A line of the kernel's: a name with a line end in it is escaped there. */
static const char *find_line(const char *text, const char *key)
{
	const char *found = strstr(text, key);

	return found == NULL ? "" : found + strlen(key);
}

static bool has_group(const char *text, long group)
{
	const char *at = find_line(text, "\nGroups:");
	char *end;

	for (;; at = end) {
		at += strspn(at, " \t");
		const long number = strtol(at, &end, 10);
		if (end == at)
			return false;
		if (number == group)
			return true;
	}
}

/* The number is sent to all of the group, or to those alone that the engine brought in, who have no parent. Gives how many live. */
static int signal_group(long group, int number, bool all)
{
	char text[MOST_STATUS];
	DIR *folder = opendir("/proc");
	const struct dirent *entry;
	int alive = 0;

	if (folder == NULL)
		return -1;
	while ((entry = readdir(folder)) != NULL) {
		const char *pid = entry->d_name;

		if (!isdigit((unsigned char)pid[0]) || !read_status(pid, text, sizeof(text)) || !has_group(text, group))
			continue;
		const char *state = find_line(text, "\nState:\t");
		if (*state == 'Z' || *state == 'X')
			continue;
		alive++;
		if (all || atoi(find_line(text, "\nPPid:\t")) == 0)
			kill(atoi(pid), number);
	}
	closedir(folder);
	return alive;
}

bool end_group(const char *group_text, const char *grace_text)
{
	const long group = atol(group_text);
	const long grace = atol(grace_text);
	int before = -1;

	if (group <= 0)
		return false;
	/* The init of the execution passes it on. */
	if (grace > 0)
		signal_group(group, SIGTERM, false);
	for (long waited = 0; waited < grace && signal_group(group, 0, false) > 0; waited += LOOK_MS)
		pause_ms(LOOK_MS);
	/* Stopped first, until two looks find the same: what forks would be ahead of us for ever. */
	for (int pass = 0; pass < MOST_PASSES; pass++) {
		const int alive = signal_group(group, SIGSTOP, true);
		if (alive == before)
			break;
		before = alive;
	}
	for (int pass = 0; pass < MOST_PASSES; pass++) {
		if (signal_group(group, SIGKILL, true) == 0)
			return true;
		pause_ms(LOOK_MS);
	}
	return false;
}
