/* Owns asking a user's systemd to move us below a unit of its own: on cgroup v2 nobody leaves a login session alone. */
#ifndef ATTACH_H
#define ATTACH_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Moves `pid` to the group `group` ("/NAME") of the delegated unit `unit` (without ".service"), by the manager's own
 * socket. Sets errno.
 */
bool attach_process(const char *manager, const char *unit, const char *group, pid_t pid);

#endif
