/* Owns the process that does what a supervisor which was killed no longer can. */
#ifndef GUARDIAN_H
#define GUARDIAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

struct guardian {
	pid_t pid; /* 0: none */
	int end;   /* of the pipe whose other end the guardian reads */
};

/*
 * Without --enter it gives the caller's terminal its mode back, no more. What enters a sandbox does not die with the runtime that brought it there: its parent is then the sandbox's init. So a second
 * process of ours waits for the end of this one, kills what is in --cgroup, removes what --make made, and gives the
 * caller's terminal its mode back. To be called before there are threads. False, and said why, when none can be had.
 */
bool start_guardian(const struct options *options, struct guardian *guardian);

/* Ends it: we have done all that ourselves. */
void dismiss_guardian(struct guardian *guardian);

#endif
