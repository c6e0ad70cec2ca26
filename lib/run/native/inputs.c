/* Owns asking whether a plan is still that of its inputs: size, mtime and ctime in ns, inode of each file. */
#include "inputs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"
#include "slots.h"
#include "smallfile.h"

#define LONGEST_ENTRY 65536

/* "#input SIZE MTIME CTIME INODE PATH"; times are seconds and nine digits. */
static bool holds(const char *line)
{
	struct stat now;
	char expected[PATH_MAX + 160];
	const char *path = line;

	for (int blanks = 0; blanks < 5; blanks++) {
		path = strchr(path, ' ');
		if (path == NULL)
			return false;
		path++;
	}
	if (stat(path, &now) != 0)
		return false;
	snprintf(expected, sizeof(expected), "#input %" PRIdMAX " %" PRIdMAX ".%09ld %" PRIdMAX ".%09ld %" PRIuMAX " %s",
		 (intmax_t)now.st_size, (intmax_t)now.st_mtim.tv_sec, now.st_mtim.tv_nsec, (intmax_t)now.st_ctim.tv_sec,
		 now.st_ctim.tv_nsec, (uintmax_t)now.st_ino, path);
	return strcmp(line, expected) == 0;
}

static bool is_plan(const char *line, const char *plan)
{
	static const char word[] = "#plan ";

	return strncmp(line, word, sizeof(word) - 1) == 0 && strcmp(line + sizeof(word) - 1, plan) == 0;
}

bool inputs_hold(const struct options *options)
{
	static char text[LONGEST_ENTRY + 1];
	bool named = false;
	size_t inputs = 0;
	ssize_t size;

	if (options->inputs == NULL)
		return true;
	size = read_small_file(options->inputs, O_NOFOLLOW, text, sizeof(text));
	/* One that fills the buffer may be cut; one without a last newline is. */
	if (size <= 0 || size == LONGEST_ENTRY || text[size - 1] != '\n')
		return false;
	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		if (strncmp(line, "#input ", 7) == 0) {
			if (!holds(line))
				return false;
			inputs++;
		}
		named |= is_plan(line, options->plan);
	}
	return named && inputs > 0;
}

void start_over(const struct options *options)
{
	/* Without its entry the same command line is answered by Node, so this cannot go round. */
	if (unlink(options->inputs) != 0 && errno != ENOENT) {
		say("cannot remove the stale %s: %s", options->inputs, why(errno));
		return;
	}
	if (options->config != NULL)
		unlink(options->config);
	free_slots(options);
	execv(options->otherwise[0], options->otherwise);
	say("cannot execute %s: %s", options->otherwise[0], why(errno));
}
