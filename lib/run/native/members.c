/* Owns killing by control group: the wall behind PDEATHSIG and the pid namespace. */
#include "members.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "kernel.h"

#define AT_ONCE 64   /* pidfds open at one time */
#define MOST 4096    /* pids looked at in one pass; the next pass takes the rest */
#define DEEPEST 16   /* levels of groups; guests cannot make any, engines make one or two */

int list_members(int dir, pid_t *pids, size_t most)
{
	const int file = openat(dir, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	char text[4096];
	size_t count = 0;
	pid_t pid = 0;
	ssize_t size;

	if (file < 0)
		return -1;
	while ((size = read(file, text, sizeof(text))) > 0 && count < most) {
		for (ssize_t i = 0; i < size && count < most; i++) {
			if (text[i] != '\n') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			pids[count++] = pid;
			pid = 0;
		}
	}
	const int error = errno;
	close(file);
	errno = error;
	return size < 0 ? -1 : (int)count;
}

static bool contains(const pid_t *pids, int count, pid_t pid)
{
	for (int i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* Pid 0 stands for a process of another pid namespace: kill(0) would be our own process group. */
static bool may_kill(pid_t pid)
{
	return pid > 1 && pid != getpid();
}

/*
 * A listed pid may die and be given to a stranger before it is killed. So: list, take pidfds, list again, and signal
 * only what is in both lists; a stranger is not in the second one, and a pidfd cannot change its process.
 */
static int kill_listed(int dir)
{
	static pid_t again[MOST];
	pid_t pids[AT_ONCE];
	int pidfds[AT_ONCE];
	const int count = list_members(dir, pids, AT_ONCE);

	if (count <= 0)
		return count;
	for (int i = 0; i < count; i++)
		pidfds[i] = may_kill(pids[i]) ? open_pidfd(pids[i]) : -1;
	const int recount = list_members(dir, again, MOST);
	for (int i = 0; i < count; i++) {
		if (pidfds[i] < 0)
			continue;
		if (contains(again, recount, pids[i]))
			signal_pidfd(pidfds[i], SIGKILL);
		close(pidfds[i]);
	}
	return count;
}

static void write_if_there(int dir, const char *name, const char *text)
{
	const int file = openat(dir, name, O_WRONLY | O_CLOEXEC);

	if (file < 0)
		return;
	/* Best effort by design: the loop of kills below does not depend on it. */
	if (write(file, text, strlen(text)) < 0)
		errno = 0;
	close(file);
}

/* What is frozen takes no signal before it is thawed, on v1 not even SIGKILL. */
static void thaw_group(int dir)
{
	write_if_there(dir, "freezer.state", "THAWED");
	write_if_there(dir, "cgroup.freeze", "0");
}

static DIR *open_children(int dir)
{
	const int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *children = copy < 0 ? NULL : fdopendir(copy);

	if (children == NULL && copy >= 0)
		close(copy);
	return children;
}

static const char *next_child(DIR *children)
{
	const struct dirent *entry;

	while ((entry = readdir(children)) != NULL)
		if (entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			return entry->d_name;
	return NULL;
}

static int open_group(int dir, const char *name)
{
	return openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int kill_below(int dir, int depth)
{
	int found = kill_listed(dir);
	DIR *children = found < 0 || depth == DEEPEST ? NULL : open_children(dir);
	const char *name;

	if (children == NULL)
		return -1;
	while (found >= 0 && (name = next_child(children)) != NULL) {
		const int child = open_group(dir, name);
		const int below = child < 0 ? -1 : kill_below(child, depth + 1);

		if (child >= 0)
			close(child);
		found = below < 0 ? -1 : found + below;
	}
	closedir(children);
	return found;
}

int kill_members(const char *path)
{
	const int dir = open_group(AT_FDCWD, path);
	const int found = dir < 0 ? -1 : kill_below(dir, 0);

	if (found > 0) {
		/* No new processes, or a fork bomb may outrun the next pass; v2 also kills the whole subtree at once. */
		write_if_there(dir, "pids.max", "0");
		write_if_there(dir, "cgroup.kill", "1");
		thaw_group(dir);
	}
	if (dir >= 0)
		close(dir);
	return found;
}

void thaw_members(const char *path)
{
	const int dir = open_group(AT_FDCWD, path);

	if (dir < 0)
		return;
	thaw_group(dir);
	close(dir);
}

static void remove_below(int dir, int depth)
{
	DIR *children = depth == DEEPEST ? NULL : open_children(dir);
	const char *name;

	if (children == NULL)
		return;
	while ((name = next_child(children)) != NULL) {
		const int child = open_group(dir, name);

		if (child < 0)
			continue;
		remove_below(child, depth + 1);
		close(child);
		unlinkat(dir, name, AT_REMOVEDIR);
	}
	closedir(children);
}

void remove_children(const char *path)
{
	const int dir = open_group(AT_FDCWD, path);

	if (dir < 0)
		return;
	remove_below(dir, 0);
	close(dir);
}
