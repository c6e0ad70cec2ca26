/* Owns the control groups of one run: checking, joining, emptying, removing. */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>

#include "options.h"

/*
 * For the kernel to end what was killed, and to let go of it. Only what it cannot end takes so long; on a host under load the rest may take
 * some of it.
 */
#define KILL_LIMIT_MS 5000

/* Whether every group exists and is empty: all that is in them will be killed. Says which is not. */
bool check_cgroups(const struct options *options);

/* A descriptor of the group when it is one of cgroup v2, -1 otherwise. */
int open_cgroup2(const char *path);

/* Moves the calling, single-threaded process, by itself or by --manager. Sets errno. */
bool join_cgroup(const struct options *options, const char *path);

/* Lets a run that is paused go on: else it would take no signal. */
void thaw_cgroups(const struct options *options);

/* Kills whatever is in the groups and below until nothing is. False, said, when KILL_LIMIT_MS was not enough. */
bool empty_cgroups(const struct options *options);

/* Removes the groups and those below. False, said, when one is left after KILL_LIMIT_MS. */
bool remove_cgroups(const struct options *options);

#endif
