/* Owns whether a sandbox that is being set up would notice a TERM. */
#ifndef HEARING_H
#define HEARING_H

#include <stdbool.h>
#include <sys/types.h>

#include "child.h"

/* Whether a process has a handler for a signal. False also when there is no such process. */
bool catches_signal(pid_t pid, int signal);

/*
 * Whether a TERM that `child`, a runtime, passes on reaches its own first child. False also when that is not known: it has
 * no child yet, is leaving, or is not a runtime that waits for the sandbox's first process.
 */
bool hears_term(const struct child *child);

#endif
