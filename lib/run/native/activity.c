/* Owns reading activity off a folder, only when a sandbox would be idle otherwise: an execution costs the supervisor nothing. */
#include "activity.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "say.h"

bool make_activity(const char *folder)
{
	if (mkdir(folder, 0700) == 0 || errno == EEXIST)
		return true;
	say("cannot make %s: %s", folder, why(errno));
	return false;
}

static bool has_entry(DIR *listing)
{
	const struct dirent *entry;

	while ((entry = readdir(listing)) != NULL)
		if (entry->d_name[0] != '.')
			return true;
	return false;
}

/* The folder's time is of the wall clock. Set while we slept, it moves the moment, but never before the look that did not see it. */
static int64_t when_changed(const struct timespec *changed, const struct activity *seen, int64_t now)
{
	const int64_t moment = now - (wall_ms() - ((int64_t)changed->tv_sec * 1000 + changed->tv_nsec / 1000000));

	if (changed->tv_sec == seen->changed.tv_sec && changed->tv_nsec == seen->changed.tv_nsec)
		return 0;
	if (moment > now)
		return now;
	return moment < seen->looked ? seen->looked : moment;
}

int64_t find_activity(const char *folder, struct activity *seen)
{
	const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *listing = fd < 0 ? NULL : fdopendir(fd);
	const int64_t now = monotonic_ms();
	struct stat status;
	int64_t moment = 0;

	if (listing == NULL) {
		if (fd >= 0)
			close(fd);
		return 0;
	}
	if (fstat(fd, &status) == 0) {
		moment = has_entry(listing) ? now : when_changed(&status.st_mtim, seen, now);
		seen->changed = status.st_mtim;
	}
	seen->looked = now;
	closedir(listing);
	return moment;
}
