/*
 * Owns PID 1 of every sandbox: it dies with the runtime, passes signals on, reaps, and ends as its program ends.
 * Called as tini is: init -p SIGKILL -g -- PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define STATUS_OURS 125
#define CANNOT_INVOKE 126
#define NOT_FOUND 127

/* The signals of a fault of ours, and those of a terminal that are for its foreground. */
static const int unmanaged[] = { SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS, SIGTTIN, SIGTTOU };

/*
 * Whether whoever started the sandbox is dead. When that happens before PR_SET_PDEATHSIG, no signal comes, and getppid(2) is 0
 * in a pid namespace in any case. But the readers of our output are gone then: supervise has the only ones.
 */
static bool is_abandoned(void)
{
	struct pollfd out[2] = { { .fd = STDOUT_FILENO }, { .fd = STDERR_FILENO } };

	return poll(out, 2, 0) == 2 && (out[0].revents & POLLERR) != 0 && (out[1].revents & POLLERR) != 0;
}

/* Never called: what is blocked is taken by sigwaitinfo(2). That there is a handler tells supervise that TERM is heard (hearing.h). */
static void hear(int number)
{
	(void)number;
}

static _Noreturn void start_program(char **words, const sigset_t *before)
{
	/* A group of its own, and the foreground where there is a terminal: signals go to all of it. */
	if (setpgid(0, 0) == 0 && isatty(STDIN_FILENO))
		tcsetpgrp(STDIN_FILENO, getpgrp());
	signal(SIGTTIN, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, before, NULL);
	execvp(words[0], words);
	const int error = errno;
	fprintf(stderr, "sandbox: cannot execute %s: %s\n", words[0], strerror(error));
	_exit(error == ENOENT ? NOT_FOUND : CANNOT_INVOKE);
}

/* All that ended; what has lost its parent is ours to reap, too. True with the program's status when it is among them. */
static bool reap(pid_t program, int *status)
{
	bool ended = false;
	int found;

	for (pid_t pid; (pid = waitpid(-1, &found, WNOHANG)) > 0;) {
		if (pid != program)
			continue;
		*status = WIFEXITED(found) ? WEXITSTATUS(found) : 128 + WTERMSIG(found);
		ended = true;
	}
	return ended;
}

static int watch(pid_t program, const sigset_t *managed)
{
	/* Once more: the threads of a killed process close its descriptors a moment after the first of them is gone. */
	const struct timespec moment = { .tv_sec = 1 };
	bool settled = false;
	int status;

	while (!reap(program, &status)) {
		const int number = settled ? sigwaitinfo(managed, NULL) : sigtimedwait(managed, NULL, &moment);

		if (number > 0 && number != SIGCHLD)
			kill(-program, number);
		if (number < 0 && errno == EAGAIN) {
			settled = true;
			if (is_abandoned())
				return STATUS_OURS;
		}
	}
	return status;
}

int main(int argc, char **argv)
{
	static const char *const flags[] = { "-p", "SIGKILL", "-g", "--" };
	sigset_t managed, before;

	for (int i = 0; i < 4; i++)
		if (argc < 6 || strcmp(argv[i + 1], flags[i]) != 0)
			return STATUS_OURS;
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || is_abandoned())
		return STATUS_OURS;
	sigfillset(&managed);
	for (size_t i = 0; i < sizeof(unmanaged) / sizeof(unmanaged[0]); i++)
		sigdelset(&managed, unmanaged[i]);
	sigprocmask(SIG_SETMASK, &managed, &before);
	signal(SIGTERM, hear);
	/* Else the foreground that we give away would stop us. */
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	const pid_t program = fork();
	if (program == 0)
		start_program(argv + 5, &before);
	/* Both do it, so that no signal comes before it. It fails once the program is executed, and then it is done. */
	if (program > 0)
		setpgid(program, program);
	/* The kernel ends everybody else with us. */
	return program < 0 ? STATUS_OURS : watch(program, &managed);
}
