/* Owns the guardian: it holds one pipe and, where there is one, the caller's terminal; nothing else of ours. */
#include "guardian.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cgroup.h"
#include "kernel.h"
#include "say.h"
#include "terminal.h"
#include "tree.h"

/* Until the other end is closed, which only the death of the supervisor does. */
static void await_end(void)
{
	char byte;
	ssize_t got;

	do {
		got = read(STDIN_FILENO, &byte, 1);
	} while (got > 0 || (got < 0 && errno == EINTR));
}

/* 0: the pipe, 1: the terminal or nothing, 2: nowhere, so that no other descriptor falls on what say() writes to. */
static bool place_descriptors(int pipe_end, int terminal)
{
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	return null >= 0 && dup2(terminal >= 0 ? terminal : null, STDOUT_FILENO) >= 0 &&
	       dup2(pipe_end, STDIN_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0 &&
	       close_from(STDERR_FILENO + 1, 0) == 0;
}

static _Noreturn void guard(const struct options *options, int pipe_end)
{
	struct termios before;
	const bool restores = uses_caller(options) && tcgetattr(terminal_of_caller(options), &before) == 0;

	/* A session of its own: what a terminal or a shell sends to the supervisor's group is not for us. */
	if (setsid() < 0 || !place_descriptors(pipe_end, restores ? terminal_of_caller(options) : -1))
		_exit(1);
	await_end();
	if (restores)
		tcsetattr(STDOUT_FILENO, TCSADRAIN, &before);
	/* What is in no sandbox of others has died with the supervisor. */
	if (!options->enter)
		_exit(0);
	if (empty_cgroups(options) && remove_cgroups(options) && options->run_dir != NULL)
		remove_tree(options->run_dir);
	_exit(0);
}

bool start_guardian(const struct options *options, struct guardian *guardian)
{
	int ends[2];

	*guardian = (struct guardian){ .end = -1 };
	if (!options->enter && !uses_caller(options))
		return true;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		say("cannot make a pipe: %s", why(errno));
		return false;
	}
	guardian->pid = fork();
	if (guardian->pid == 0) {
		close(ends[1]);
		guard(options, ends[0]);
	}
	close(ends[0]);
	guardian->end = ends[1];
	if (guardian->pid > 0)
		return true;
	say("cannot start a process: %s", why(errno));
	close(ends[1]);
	return false;
}

void dismiss_guardian(struct guardian *guardian)
{
	if (guardian->pid <= 0)
		return;
	kill(guardian->pid, SIGKILL);
	waitpid(guardian->pid, NULL, 0);
	close(guardian->end);
	guardian->pid = 0;
}
