/* Owns finding and killing the processes of one control group and of those below it. */
#ifndef MEMBERS_H
#define MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* The first `most` pids of a control group's directory descriptor; -1 and errno when it cannot be read. */
int list_members(int dir, pid_t *pids, size_t most);

/* One pass over the group and those below: kills what is listed. Returns how many were, -1 when one cannot be read. */
int kill_members(const char *path);

/* Lets a frozen group go on, where it has a freezer. */
void thaw_members(const char *path);

/* Removes the groups below `path`, deepest first, as far as that goes. */
void remove_children(const char *path);

#endif
