/* Owns attempts at namespaces of one's own, by each of the ways there are. What is made ends with this process. */
#include "attempt.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x80
#endif

/* Without a user namespace the kernel refuses the rest to a plain user anyway, and the filter would not be seen. */
#define UNSHARE(name, flag) \
	{ .id = "ns.unshare-" name, .act = make_call, .number = SYS_unshare, .arguments = { CLONE_NEWUSER | (flag) } }
#define CLONE(name, flag) { .id = "ns.clone-" name, .act = clone_with, .arguments = { CLONE_NEWUSER | SIGCHLD | (flag) } }

static void clone_with(const struct attempt *attempt, struct outcome *outcome)
{
	const long child = syscall(SYS_clone, attempt->arguments[0], 0, 0, 0, 0);

	if (child == 0)
		_exit(0);
	if (child < 0)
		outcome->error = errno;
	else
		waitpid((pid_t)child, NULL, 0);
}

static const struct attempt attempts[] = {
	UNSHARE("user", 0),
	UNSHARE("mount", CLONE_NEWNS),
	UNSHARE("network", CLONE_NEWNET),
	UNSHARE("pid", CLONE_NEWPID),
	UNSHARE("ipc", CLONE_NEWIPC),
	UNSHARE("uts", CLONE_NEWUTS),
	UNSHARE("cgroup", CLONE_NEWCGROUP),
	UNSHARE("time", CLONE_NEWTIME),
	CLONE("user", 0),
	CLONE("mount", CLONE_NEWNS),
	CLONE("network", CLONE_NEWNET),
	CLONE("pid", CLONE_NEWPID),
	CLONE("ipc", CLONE_NEWIPC),
	CLONE("uts", CLONE_NEWUTS),
	CLONE("cgroup", CLONE_NEWCGROUP),
	/* The kernel takes the low half of the register only; a filter that looks at all of it would be blind. */
	CLONE("high", 0xfeed000000000000UL),
};

const struct table namespace_attempts = { attempts, COUNT(attempts) };
