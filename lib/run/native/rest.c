/* Owns the groups that outlive their execution. By their names alone: a listed pid could be another process's when it is moved. */
#include "rest.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "clock.h"
#include "members.h"

#define LISTED_STEPS 5 /* 10 ms: for what is dying and listed still */

/* The folder around `path`, which is absolute and not the root. */
static int open_around(const char *path)
{
	char around[4096];
	const char *slash = strrchr(path, '/');
	const int size = snprintf(around, sizeof(around), "%.*s", (int)(slash - path), path);

	if (size <= 0 || (size_t)size >= sizeof(around))
		return -1;
	return open(around, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

/*
 * An execution has its folder, the neighbour of ours, before its groups and until after them: a group without one belongs to nobody.
 * The kernel removes only what holds no process.
 */
static void remove_abandoned(int leaf, int executions)
{
	const int copy = openat(leaf, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *children = copy < 0 ? NULL : fdopendir(copy);
	const struct dirent *entry;
	struct stat status;

	if (children == NULL) {
		if (copy >= 0)
			close(copy);
		return;
	}
	while ((entry = readdir(children)) != NULL)
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		    fstatat(executions, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
			unlinkat(leaf, entry->d_name, AT_REMOVEDIR);
	closedir(children);
}

bool leaves_rest(const struct options *options, const struct ending *ending)
{
	/* A runtime that was killed knows nothing of the program any more. */
	return options->enter && ending->started && ending->cause == EXITED && WIFEXITED(ending->wait_status);
}

/* What has just ended can be in the way for a moment; what goes on stays listed. */
static void remove_unless_used(const char *path)
{
	const int64_t until = monotonic_ms() + KILL_LIMIT_MS;
	pid_t member;

	for (long pause = 1; rmdir(path) != 0 && errno == EBUSY && monotonic_ms() < until; pause++) {
		const int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		const int members = dir < 0 ? -1 : list_members(dir, &member, 1);

		if (dir >= 0)
			close(dir);
		if (members < 0 || (members > 0 && pause >= LISTED_STEPS))
			return;
		pause_ms(pause < 20 ? pause : 20);
	}
}

void leave_rest(const struct options *options)
{
	const int executions = open_around(options->run_dir);

	for (size_t i = 0; i < options->cgroup_count; i++) {
		const int leaf = open_around(options->cgroups[i]);

		remove_unless_used(options->cgroups[i]);
		if (leaf >= 0 && executions >= 0)
			remove_abandoned(leaf, executions);
		if (leaf >= 0)
			close(leaf);
	}
	if (executions >= 0)
		close(executions);
}
