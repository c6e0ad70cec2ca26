/* Owns the child between fork and exec: what it inherits, where it is confined, how it dies with us. */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cgroup.h"
#include "kernel.h"
#include "say.h"

#define NONE SIZE_MAX
#define REPORT 3 /* where the report pipe stands in the child; all above is closed */

enum stage { JOIN, DESCRIPTORS, SESSION, EXEC };

/* Smaller than PIPE_BUF: written and read whole. */
struct report {
	enum stage stage;
	size_t cgroup;
	int error;
};

static void reset_signals(void)
{
	const struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		sigaction(number, &standard, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool place_descriptors(const struct streams *streams, int space, int *file, int *report)
{
	if (dup2(streams->in[1], STDIN_FILENO) < 0 || dup2(streams->out[1], STDOUT_FILENO) < 0 ||
	    dup2(streams->err[1], STDERR_FILENO) < 0)
		return false;
	/* Above both places first, so that neither falls on the other. */
	*report = fcntl(*report, F_DUPFD_CLOEXEC, USER_SPACE + 1);
	if (*report < 0)
		return false;
	space = space < 0 ? space : fcntl(space, F_DUPFD_CLOEXEC, USER_SPACE + 1);
	*file = *file < 0 ? *file : fcntl(*file, F_DUPFD_CLOEXEC, USER_SPACE + 1);
	if (dup3(*report, REPORT, O_CLOEXEC) < 0)
		return false;
	*report = REPORT;
	if (space < 0)
		return close_from(REPORT + 1, CLOSE_RANGE_CLOEXEC) == 0;
	return dup2(space, USER_SPACE) == USER_SPACE && close_from(USER_SPACE + 1, CLOSE_RANGE_CLOEXEC) == 0;
}

static _Noreturn void fail(int report, enum stage stage, size_t cgroup)
{
	const struct report text = { .stage = stage, .cgroup = cgroup, .error = errno };

	_exit(write(report, &text, sizeof(text)) == sizeof(text) ? 125 : 126);
}

static void execute(const struct options *options, int file)
{
	char *const *environment = (char *const *)options->environment;

	if (file >= 0)
		execute_file(file, options->program, environment);
	else
		execve(options->program[0], options->program, environment);
}

static _Noreturn void run_child(const struct options *options, const struct exec *exec, const struct streams *streams,
				int report, pid_t parent, size_t joined)
{
	int file = exec->file;

	/* First, and then the check: a parent that died in between can no longer signal us. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(125);
	for (size_t i = 0; !options->apart && i < options->cgroup_count; i++)
		if (i != joined && !join_cgroup(options, options->cgroups[i]))
			fail(report, JOIN, i);
	/* No controlling terminal: neither /dev/tty nor TIOCSTI lead back to the person. */
	if (setsid() < 0)
		fail(report, SESSION, 0);
	if (!place_descriptors(streams, exec->user_space, &file, &report))
		fail(report, DESCRIPTORS, 0);
	umask(022);
	reset_signals();
	execute(options, file);
	fail(report, EXEC, 0);
}

/*
 * On v2 the child is born in its group: moving a process there waits for an RCU grace period, 5 to 20 ms after a pause.
 * Where that is not possible, it is forked and moved, and a failure is reported by `join_cgroup`.
 */
static pid_t fork_into(const struct options *options, size_t *joined)
{
	struct clone_args how = { .flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD };
	pid_t pid = -1;

	for (*joined = 0; !options->apart && *joined < options->cgroup_count; (*joined)++) {
		const int group = open_cgroup2(options->cgroups[*joined]);

		if (group < 0)
			continue;
		how.cgroup = (unsigned int)group;
		pid = (pid_t)syscall(SYS_clone3, &how, sizeof(how));
		if (pid != 0)
			close(group);
		if (pid >= 0)
			return pid;
		break;
	}
	*joined = NONE;
	return fork();
}

static void close_guest_ends(struct streams *streams)
{
	close(streams->in[1]);
	close(streams->out[1]);
	close(streams->err[1]);
}

bool start_child(const struct options *options, const struct exec *exec, struct streams *streams, struct child *child)
{
	const pid_t parent = getpid();
	size_t joined;
	int report[2];

	if (pipe2(report, O_CLOEXEC) != 0) {
		say("cannot make a pipe: %s", why(errno));
		return false;
	}
	child->pid = fork_into(options, &joined);
	if (child->pid == 0)
		run_child(options, exec, streams, report[1], parent, joined);
	if (child->pid < 0) {
		say("cannot start a process: %s", why(errno));
		return false;
	}
	close(report[1]);
	close_guest_ends(streams);
	child->report = report[0];
	child->init = -1;
	/* Our own unreaped child, so the pid cannot have been given to another process. */
	child->pidfd = open_pidfd(child->pid);
	if (child->pidfd < 0) {
		say("cannot watch a process: %s", why(errno));
		kill(child->pid, SIGKILL);
		waitpid(child->pid, NULL, 0);
		return false;
	}
	return true;
}

bool take_report(const struct options *options, struct child *child)
{
	struct report report;
	const ssize_t got = read(child->report, &report, sizeof(report));

	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	close(child->report);
	child->report = -1;
	if (got != sizeof(report))
		return true;
	switch (report.stage) {
	case JOIN:
		say("cannot join the control group %s: %s", options->cgroups[report.cgroup], why(report.error));
		break;
	case EXEC:
		say("cannot execute %s: %s", options->program[0], why(report.error));
		break;
	case SESSION:
	case DESCRIPTORS:
		say("cannot prepare the process: %s", why(report.error));
		break;
	}
	return false;
}
