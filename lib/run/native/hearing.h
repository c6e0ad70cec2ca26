/* Owns whether a sandbox that is being set up would notice a TERM. */
#ifndef HEARING_H
#define HEARING_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Whether a TERM that `runtime`, our unreaped child, passes on reaches its own first child. False also when that is not known: it has
 * no child yet, or is not a runtime that waits for the sandbox's first process.
 */
bool hears_term(pid_t runtime);

#endif
