/* Owns telling when somebody last worked in a sandbox from outside: a folder that holds an entry for each execution. */
#ifndef ACTIVITY_H
#define ACTIVITY_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Makes the folder. False, and said why, when it cannot be. */
bool make_activity(const char *folder);

/* What the last look saw; zero before the first. */
struct activity {
	struct timespec changed; /* mtime of the folder */
	int64_t looked;          /* monotonic ms */
};

/*
 * When something was last done, monotonic ms: now while the folder holds an entry, else when it last lost or got one. A
 * folder that is not there tells of nothing: 0.
 */
int64_t find_activity(const char *folder, struct activity *seen);

#endif
