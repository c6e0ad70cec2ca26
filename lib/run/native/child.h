/* Owns starting the one program under supervision. */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"
#include "streams.h"

struct child {
	pid_t pid;
	int pidfd;
	bool is_init; /* the sandbox's first process itself, whose runtime has gone (handover.h) */
	bool leaving; /* the runtime goes: it passes nothing on any more */
	int init;     /* pidfd of the first process while it changes hands, -1 else */
	int report; /* read end: closes when the program runs, or holds why it does not; -1 once read */
};

/* What the program is executed with beside its streams; -1: not. */
struct exec {
	int file;       /* the sealed copy */
	int user_space; /* user namespace, handed to the program as descriptor USER_SPACE */
};

#define USER_SPACE 4

/* Forks the program with the guest's ends of `streams`, which are closed here. Says why and returns false on failure. */
bool start_child(const struct options *options, const struct exec *exec, struct streams *streams, struct child *child);

/* Reads the report. True: the program runs (or the child is gone). False: it was never started, and we said why. */
bool take_report(const struct options *options, struct child *child);

#endif
