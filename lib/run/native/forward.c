/*
 * Owns the process between the published ports of a run and its sandbox. The sandbox gets nothing for it: no file, no process, no
 * network. docs/decisions/0025-published-ports.md
 */
#include "forward.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "clock.h"
#include "confine.h"
#include "initof.h"
#include "kernel.h"
#include "pump.h"
#include "say.h"

#define FIRST 3 /* descriptor of the runtime's pidfd; the listeners follow */
#define MOST_CHILDREN 16
#define LOOK_MS 5
#define REFUSED_MS 10000 /* for which the kernel may keep us out: until the program is executed */

static bool has_ended(int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	return poll(&ended, 1, 0) != 0;
}

/*
 * Both at once or none. Not while it is still in our network (a runtime that makes its sandbox): we would connect to the host itself. What
 * was looked at is asked again of ourselves, when it is too late for another try.
 */
static bool join(pid_t program, int found)
{
	struct stat before, there, after;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", program);
	if (stat("/proc/self/ns/net", &before) != 0 || stat(path, &there) != 0)
		return false;
	errno = EAGAIN;
	if (before.st_ino == there.st_ino || setns(found, CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return false;
	if (stat("/proc/self/ns/net", &after) != 0 || before.st_ino == after.st_ino)
		_exit(1);
	return true;
}

static bool is_child(pid_t parent, pid_t child)
{
	pid_t all[MOST_CHILDREN];
	const size_t count = list_children(parent, all, MOST_CHILDREN);

	for (size_t i = 0; i < count; i++)
		if (all[i] == child)
			return true;
	return false;
}

/*
 * Through a process that our init started: its program, where the first is not the way out's. Not init itself: a plain user has no
 * power over a process whose file cannot be read. The numbers were nobody else's meanwhile: each is still a child of
 * the one before, and the first is not reaped, or the only one of its kind in the group. errno says why the kernel let us in nowhere; 0: there was nothing to try.
 */
static bool join_below(const struct options *options, pid_t runtime, int runtime_end)
{
	pid_t inside[MOST_CHILDREN];
	const pid_t init = find_init(options, runtime);
	const size_t count = init == 0 ? 0 : list_children(init, inside, MOST_CHILDREN);
	int error = 0;

	for (size_t i = 0; i < count; i++) {
		const int found = open_pidfd(inside[i]);
		const bool ours = found >= 0 && is_child(init, inside[i]) && find_init(options, runtime) == init &&
				  !has_ended(runtime_end);

		if (ours && join(inside[i], found)) {
			close(found);
			return true;
		}
		error = ours ? errno : error;
		if (found >= 0)
			close(found);
	}
	errno = error;
	return false;
}

static void await_sandbox(const struct options *options, pid_t runtime, int runtime_end)
{
	const int64_t give_up = monotonic_ms() + REFUSED_MS;

	while (!has_ended(runtime_end)) {
		if (join_below(options, runtime, runtime_end))
			return;
		if (errno != 0 && monotonic_ms() > give_up) {
			say("the published ports cannot be led into the sandbox: %s", why(errno));
			break;
		}
		pause_ms(LOOK_MS);
	}
	_exit(1);
}

static void die_with(pid_t parent)
{
	/* First, and then the check: a parent that died in between can no longer signal us. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
}

/* 0 and 1 lead nowhere, 2 is still the caller's; then the pidfd and the listeners, and nothing else of ours. */
static bool place_descriptors(int *pidfd, struct forwarder *forwarder)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int all[MOST_PORTS + 1];

	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
		return false;
	/* Above all places first, so that none falls on another. */
	for (size_t i = 0; i <= forwarder->count; i++) {
		const int from = i == 0 ? *pidfd : forwarder->listeners[i - 1];

		all[i] = fcntl(from, F_DUPFD_CLOEXEC, FIRST + MOST_PORTS + 1);
		if (all[i] < 0)
			return false;
	}
	for (size_t i = 0; i <= forwarder->count; i++)
		if (dup3(all[i], FIRST + (int)i, O_CLOEXEC) < 0)
			return false;
	*pidfd = FIRST;
	for (size_t i = 0; i < forwarder->count; i++)
		forwarder->listeners[i] = FIRST + 1 + (int)i;
	return close_from(FIRST + (unsigned int)forwarder->count + 1, 0) == 0;
}

static _Noreturn void forward(const struct options *options, pid_t parent, struct child runtime, struct forwarder forwarder)
{
	in_port_t inside[MOST_PORTS];

	die_with(parent);
	/* A session of its own: what a terminal or a shell sends to the supervisor's group is not for us. */
	if (setsid() < 0 || chdir("/") != 0 || !place_descriptors(&runtime.pidfd, &forwarder))
		_exit(1);
	await_sandbox(options, runtime.pid, runtime.pidfd);
	for (size_t i = 0; i < forwarder.count; i++)
		inside[i] = options->publications[i].inside;
	if (dup2(STDIN_FILENO, STDERR_FILENO) < 0 || close(runtime.pidfd) != 0 || !drop_privileges())
		_exit(1);
	/* Joining took the signal away (prctl(2)). */
	die_with(parent);
	if (!restrict_calls())
		_exit(1);
	pump(forwarder.listeners, inside, forwarder.count);
}

bool start_forwarder(const struct options *options, const struct child *runtime, struct forwarder *forwarder)
{
	const pid_t parent = getpid();

	if (forwarder->count == 0)
		return true;
	if (options->init_in_group && options->cgroup_count == 0) {
		say("the published ports cannot be led into the sandbox: it has no control group to be found in");
		return false;
	}
	forwarder->pid = fork();
	if (forwarder->pid == 0)
		forward(options, parent, *runtime, *forwarder);
	close_listeners(forwarder);
	if (forwarder->pid > 0)
		return true;
	say("cannot start a process: %s", why(errno));
	forwarder->pid = 0;
	return false;
}

void end_forwarder(struct forwarder *forwarder)
{
	close_listeners(forwarder);
	if (forwarder->pid == 0)
		return;
	kill(forwarder->pid, SIGKILL);
	waitpid(forwarder->pid, NULL, 0);
	forwarder->pid = 0;
}
