/* Owns what a run needs to exist before its program. In one process: a mkdir(1) alone takes longer than all of this. */
#include "places.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "refuse.h"
#include "say.h"
#include "smallfile.h"
#include "tree.h"

#define LONGEST_VALUE 128

static bool write_value(const char *path, const char *value)
{
	const int file = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	const size_t size = strlen(value);
	bool written;

	if (file < 0)
		return false;
	written = write(file, value, size) == (ssize_t)size;
	close(file);
	return written;
}

/* The kernel rounds, caps or ignores some values without an error, so only what it says afterwards counts. */
static bool reads_as(const char *path, const char *value)
{
	char text[LONGEST_VALUE + 2];

	if (read_small_file(path, O_NOFOLLOW, text, sizeof(text)) <= 0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, value) == 0;
}

/* /proc/swaps has a heading, and a line for each swap. */
static bool has_no_swap(void)
{
	char text[256];

	if (read_small_file("/proc/swaps", 0, text, sizeof(text)) <= 0)
		return false;
	const char *end = strchr(text, '\n');
	return end != NULL && end[1] == '\0';
}

/* Without swap accounting there is no such file. On a host without swap the other limit is then the whole truth. */
static bool is_needless(const struct limit *limit)
{
	return limit->swap && access(limit->path, F_OK) != 0 && errno == ENOENT && has_no_swap();
}

static void note_lacking(struct options *options, char letter)
{
	const size_t size = strlen(options->lacking_letters);

	if (strchr(options->lacking_letters, letter) == NULL && size < strlen(LIMIT_LETTERS))
		options->lacking_letters[size] = letter;
	options->lacking = options->lacking_letters;
}

static bool apply_limit(struct options *options, const struct limit *limit)
{
	const char *name = strrchr(limit->path, '/') + 1;

	/* For each write of a quota the kernel goes through all groups of the host: the period is what it is to be already. */
	if (is_needless(limit) || (limit->letter == 'c' && reads_as(limit->path, limit->value)) ||
	    (write_value(limit->path, limit->value) && reads_as(limit->path, limit->value)))
		return true;
	if (!options->best_effort) {
		refuse(options, "LIMIT_UNENFORCEABLE", "as root: sandbox setup; then: sandbox doctor",
		       "the limit %s = %s could not be applied", name, limit->value);
		return false;
	}
	/* What is captured is the program's; the result names what is lacking. */
	if (options->stderr_max == 0)
		say("the limit %s = %s is not applied (limits.enforce: best-effort)", name, limit->value);
	note_lacking(options, limit->letter);
	return true;
}

static bool move_config(const struct options *options)
{
	char to[PATH_MAX];
	const int size = snprintf(to, sizeof(to), "%s/config.json", options->run_dir);

	if (options->config == NULL)
		return true;
	if (size > 0 && (size_t)size < sizeof(to) && rename(options->config, to) == 0)
		return true;
	refuse(options, "DISK_FULL", "free some space, or inodes, on the file system of the run folder",
	       "the bundle could not be written: %s", why(errno));
	return false;
}

/* What existed before belongs to somebody else and is not removed again. */
static bool make_folders(const struct options *options, size_t *groups, bool *run_dir)
{
	*run_dir = mkdir(options->run_dir, 0700) == 0;
	for (*groups = 0; *run_dir && *groups < options->cgroup_count; (*groups)++)
		if (mkdir(options->cgroups[*groups], 0700) != 0)
			break;
	if (*run_dir && *groups == options->cgroup_count)
		return true;
	refuse(options, "LIMIT_UNENFORCEABLE", "as root: sandbox setup; then: sandbox doctor",
	       "the folders of the run could not be made: %s: %s",
	       *run_dir ? options->cgroups[*groups] : options->run_dir, why(errno));
	return false;
}

bool make_places(struct options *options)
{
	size_t groups = 0;
	bool run_dir = false;
	bool made;

	if (!options->make)
		return true;
	if (options->lacking != NULL)
		memcpy(options->lacking_letters, options->lacking, strlen(options->lacking));
	made = make_folders(options, &groups, &run_dir) && move_config(options);
	for (size_t i = 0; made && i < options->limit_count; i++)
		made = apply_limit(options, &options->limits[i]);
	if (made)
		return true;
	while (groups > 0)
		rmdir(options->cgroups[--groups]);
	if (run_dir)
		remove_tree(options->run_dir);
	if (options->config != NULL)
		unlink(options->config);
	return false;
}
