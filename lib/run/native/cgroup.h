/* Owns the control groups of one run: joining, emptying, removing, and what the OOM killer did in them. */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

/* Whether every group exists and is empty: all that is in them will be killed. Says which is not. */
bool check_cgroups(const struct options *options);

/* A descriptor of the group when it is one of cgroup v2, -1 otherwise. */
int open_cgroup2(const char *path);

/* Moves the calling, single-threaded process. Sets errno. */
bool join_cgroup(const char *path);

/* Kills whatever is in the groups and below until nothing is. False, said, when `limit_ms` was not enough. */
bool empty_cgroups(const struct options *options, int64_t limit_ms);

/* Removes the groups and those below. False, said, when one is left after `limit_ms`. */
bool remove_cgroups(const struct options *options, int64_t limit_ms);

/* `oom_kill` of a v1 memory.oom_control or v2 memory.events; 0 when there is none. */
uint64_t count_oom_kills(const char *path);

#endif
