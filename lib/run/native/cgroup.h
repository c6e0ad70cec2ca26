/* Owns the control groups of one run: checking, joining, emptying, removing. */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

/* Whether every group exists and is empty: all that is in them will be killed. Says which is not. */
bool check_cgroups(const struct options *options);

/* A descriptor of the group when it is one of cgroup v2, -1 otherwise. */
int open_cgroup2(const char *path);

/* Moves the calling, single-threaded process, by itself or by --manager. Sets errno. */
bool join_cgroup(const struct options *options, const char *path);

/* Lets a run that is paused go on: else it would take no signal. */
void thaw_cgroups(const struct options *options);

/* Kills whatever is in the groups and below until nothing is. False, said, when `limit_ms` was not enough. */
bool empty_cgroups(const struct options *options, int64_t limit_ms);

/* Removes the groups and those below. False, said, when one is left after `limit_ms`. */
bool remove_cgroups(const struct options *options, int64_t limit_ms);

#endif
