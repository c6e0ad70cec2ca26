/*
 * Owns removing a run's directory: any depth with a bounded number of descriptors, no link followed, no mount entered. A daemon's runtime,
 * which outlives a run that is killed, may be taking away its own part of it, or adding to it.
 */
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cgroup.h"
#include "clock.h"
#include "kernel.h"
#include "say.h"

#define DEEPEST 24   /* directories open at one time */
#define MOST_PASSES 100000
#define PAUSE_MS 10 /* before the next look at a directory that somebody adds to */

struct removal {
	int root;
	dev_t device;
	unsigned long moved; /* directories taken up to the root, each with a number */
	int error;           /* the first, other than that something is gone */
};

/* True for what is gone: somebody else was faster. */
static bool note(struct removal *removal, int error)
{
	if (error == ENOENT)
		return true;
	if (removal->error == 0)
		removal->error = error;
	return false;
}

/* RESOLVE_NO_XDEV also stops at bind mounts of the same filesystem, which st_dev does not show. */
static int open_beneath(int dir, const char *name, uint64_t flags)
{
	struct open_how how = {
		.flags = flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV,
	};

	return (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));
}

/* The guest may have taken its own permissions off a directory; by descriptor, so that no name is resolved twice. */
static void allow_access(int dir, const char *name)
{
	char path[64];
	const int handle = open_beneath(dir, name, O_PATH);

	if (handle < 0)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
	chmod(path, 0700);
	close(handle);
}

static int open_child(const struct removal *removal, int dir, const char *name)
{
	struct stat status;
	int child = open_beneath(dir, name, O_RDONLY);

	if (child < 0 && errno == EACCES) {
		allow_access(dir, name);
		child = open_beneath(dir, name, O_RDONLY);
	}
	if (child < 0)
		return -1;
	if (fstat(child, &status) == 0 && status.st_dev == removal->device)
		return child;
	close(child);
	errno = EXDEV;
	return -1;
}

/* Instead of one more level: the directory becomes a child of the root, and the root is gone over again. */
static bool move_up(struct removal *removal, int dir, const char *name)
{
	char to[32];

	snprintf(to, sizeof(to), ".deep-%lu", removal->moved++);
	/* The guest may have taken that name: RENAME_NOREPLACE, and the next number. */
	while (move_to_free(dir, name, removal->root, to) != 0) {
		if (errno != EEXIST)
			return note(removal, errno);
		snprintf(to, sizeof(to), ".deep-%lu", removal->moved++);
	}
	return true;
}

static bool empty_directory(struct removal *removal, int fd, int depth);

static bool remove_directory(struct removal *removal, int dir, const char *name, int depth)
{
	if (unlinkat(dir, name, AT_REMOVEDIR) == 0)
		return true;
	if (errno != ENOTEMPTY && errno != EEXIST)
		return note(removal, errno);
	if (depth == DEEPEST)
		return move_up(removal, dir, name);
	const int child = open_child(removal, dir, name);
	if (child < 0)
		return note(removal, errno);
	if (!empty_directory(removal, child, depth + 1))
		return false;
	return unlinkat(dir, name, AT_REMOVEDIR) == 0 || note(removal, errno);
}

/* Root's crun, killed while it cloned its own binary, leaves that mounted on a file of ours. */
static bool unmount_entry(int dir, const char *name)
{
	char path[NAME_MAX + 64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir, name);
	return umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0;
}

static bool remove_entry(struct removal *removal, int dir, const char *name, int depth)
{
	if (unlinkat(dir, name, 0) == 0)
		return true;
	const int error = errno;
	if (error == EBUSY && unmount_entry(dir, name) && unlinkat(dir, name, 0) == 0)
		return true;
	/* POSIX says EPERM, Linux EISDIR. */
	if (error != EISDIR && error != EPERM)
		return note(removal, error);
	return remove_directory(removal, dir, name, depth);
}

/* Takes `fd`. True when all entries are gone. */
static bool empty_directory(struct removal *removal, int fd, int depth)
{
	DIR *entries = fdopendir(fd);
	const struct dirent *entry;
	bool gone = true;

	if (entries == NULL) {
		close(fd);
		return note(removal, ENOMEM);
	}
	while ((entry = readdir(entries)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		gone &= remove_entry(removal, fd, entry->d_name, depth);
	}
	closedir(entries);
	return gone;
}

static bool remove_content(struct removal *removal)
{
	for (int pass = 0; pass < MOST_PASSES; pass++) {
		const unsigned long before = removal->moved;
		const int again = openat(removal->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

		if (again < 0)
			return note(removal, errno);
		if (!empty_directory(removal, again, 0))
			return false;
		if (removal->moved == before)
			return true;
	}
	return note(removal, ELOOP);
}

/* The first error, or 0. */
static int remove_once(const char *path)
{
	struct removal removal = { .root = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) };
	struct stat status;

	if (removal.root < 0 || fstat(removal.root, &status) != 0) {
		note(&removal, errno);
	} else {
		removal.device = status.st_dev;
		remove_content(&removal);
	}
	if (removal.root >= 0)
		close(removal.root);
	if (removal.error == 0 && rmdir(path) != 0)
		note(&removal, errno);
	return removal.error;
}

bool remove_tree(const char *path)
{
	const int64_t until = monotonic_ms() + KILL_LIMIT_MS;
	int error;

	while ((error = remove_once(path)) == ENOTEMPTY && monotonic_ms() < until)
		pause_ms(PAUSE_MS);
	if (error != 0)
		say("cannot remove %s: %s", path, why(error));
	return error == 0;
}
