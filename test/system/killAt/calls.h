/* Owns which system calls change the host, and what each names. */
#ifndef CALLS_H
#define CALLS_H

#include <linux/ptrace.h>
#include <sys/types.h>

#define NONE (-1)

/* What a call names: nothing, a path argument, a descriptor argument; and opening counts only when it may change something. */
struct call {
	long number;
	const char *name;
	int path;
	int file;
	int flags;
};

/* The call that a task is about to make; NULL when it changes nothing, or nothing that outlives anybody. */
const struct call *find_call(const struct ptrace_syscall_info *info, pid_t tid);

#endif
