/* Owns the control groups of one run as wholes: checking, joining, emptying, removing. */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "attach.h"
#include "clock.h"
#include "members.h"
#include "say.h"

#define MOST_MEMBERS 64 /* of a group that was empty before we joined */

bool check_cgroups(const struct options *options)
{
	for (size_t i = 0; i < options->cgroup_count; i++) {
		const char *path = options->cgroups[i];
		const int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		pid_t member;
		int count;

		if (dir < 0) {
			say("cannot open the control group %s: %s", path, why(errno));
			return false;
		}
		count = list_members(dir, &member, 1);
		close(dir);
		if (count < 0) {
			say("%s is no control group that we can read: %s", path, why(errno));
			return false;
		}
		if (count > 0) {
			say("the control group %s is in use already", path);
			return false;
		}
	}
	return true;
}

int open_cgroup2(const char *path)
{
	const int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs status;

	if (dir >= 0 && fstatfs(dir, &status) == 0 && status.f_type == CGROUP2_SUPER_MAGIC)
		return dir;
	if (dir >= 0)
		close(dir);
	return -1;
}

static bool is_member(int dir)
{
	static pid_t members[MOST_MEMBERS];
	const int count = list_members(dir, members, MOST_MEMBERS);

	for (int i = 0; i < count; i++)
		if (members[i] == getpid())
			return true;
	errno = EPERM;
	return false;
}

/* The group as its unit knows it: what follows the unit's folder, or the last part alone. */
static const char *find_group(const struct options *options, const char *path)
{
	const size_t size = strlen(options->unit);

	for (const char *at = strstr(path, options->unit); at != NULL; at = strstr(at + 1, options->unit))
		if (at[-1] == '/' && strncmp(at + size, ".service/", strlen(".service/")) == 0)
			return at + size + strlen(".service");
	return strrchr(path, '/');
}

/*
 * On v2 a user may not move a process out of a login session, but may ask systemd to (cgroup-v2.rst, "Delegation
 * Containment"). Its answer is not believed: the group must list us.
 */
static bool join_by_manager(const struct options *options, const char *path, int dir)
{
	return options->manager != NULL &&
	       attach_process(options->manager, options->unit, find_group(options, path), getpid()) && is_member(dir);
}

bool join_cgroup(const struct options *options, const char *path)
{
	const int dir = open(path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const int procs = dir < 0 ? -1 : openat(dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);

	/* Both are left to close_range and exec: closing could lose errno. */
	if (procs < 0)
		return false;
	return write(procs, "0", 1) == 1 || (errno == EACCES && join_by_manager(options, path, dir));
}

static bool empty_cgroup(const struct options *options, const char *path, int64_t until)
{
	for (long pause = 1;; pause++) {
		const int found = kill_members(path);

		if (found == 0)
			return true;
		if (found < 0 || monotonic_ms() >= until) {
			say("run %s: processes are left in %s, and with them its host uids", options->id, path);
			return false;
		}
		pause_ms(pause < 20 ? pause : 20);
	}
}

void thaw_cgroups(const struct options *options)
{
	for (size_t i = 0; i < options->cgroup_count; i++)
		thaw_members(options->cgroups[i]);
}

bool empty_cgroups(const struct options *options)
{
	const int64_t until = monotonic_ms() + KILL_LIMIT_MS;
	bool empty = true;

	for (size_t i = 0; i < options->cgroup_count; i++)
		empty &= empty_cgroup(options, options->cgroups[i], until);
	return empty;
}

static bool remove_cgroup(const struct options *options, const char *path, int64_t until)
{
	for (long pause = 1; rmdir(path) != 0 && errno != ENOENT; pause += 1) {
		const int error = errno;

		if (error == EBUSY)
			remove_children(path);
		if (error != EBUSY || monotonic_ms() >= until) {
			say("run %s: cannot remove the control group %s: %s", options->id, path, why(error));
			return false;
		}
		pause_ms(pause < 20 ? pause : 20);
	}
	return true;
}

bool remove_cgroups(const struct options *options)
{
	const int64_t until = monotonic_ms() + KILL_LIMIT_MS;
	bool removed = true;

	for (size_t i = 0; i < options->cgroup_count; i++)
		removed &= remove_cgroup(options, options->cgroups[i], until);
	return removed;
}
