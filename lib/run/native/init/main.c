/*
 * Owns PID 1 of every sandbox: it dies with the runtime, passes signals on, reaps, and ends as its program ends.
 * Called as tini is: init -p SIGKILL -g [-f PORT=PATH]... -- PROGRAM [ARGUMENT...]
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "forward.h"
#include "hand.h"
#include "script.h"

#define STATUS_OURS 125
#define CANNOT_INVOKE 126
#define NOT_FOUND 127
#define SIZE_LOOKS 10000 /* of 0.2 ms */

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

/* TMPDIR of a scratch workspace, which is an empty file system until now (lib/spec/mounts.ts). Without it the program sees that it is not there. */
static void make_temporary(void)
{
	static const char place[] = "/workspace/.tmp";
	const char *named = getenv("TMPDIR");

	if (named != NULL && strcmp(named, place) == 0)
		mkdir(place, 0700);
}

/* Where /dev is an outline of ours (lib/spec/dev.ts), shared memory lies in the file system of /run, which is empty until now. */
static void make_shared_memory(void)
{
	static const char place[] = "/run/shm";
	char leads[sizeof(place)];

	if (readlink("/dev/shm", leads, sizeof(leads)) == sizeof(place) - 1 && memcmp(leads, place, sizeof(place) - 1) == 0)
		mkdir(place, 0700);
}

/* A terminal gets its size from outside once it was handed out (lib/run/native/terminal.c); most programs ask for it once. */
static void await_size(void)
{
	const struct timespec moment = { .tv_nsec = 200000 };
	struct winsize size;

	for (int look = 0; look < SIZE_LOOKS; look++) {
		if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row != 0)
			return;
		nanosleep(&moment, NULL);
	}
}

static _Noreturn void start_program(char **words, const sigset_t *before)
{
	/* A group of its own, and the foreground where there is a terminal: signals go to all of it. */
	if (setpgid(0, 0) == 0 && isatty(STDIN_FILENO))
		tcsetpgrp(STDIN_FILENO, getpgrp());
	await_size();
	/* The caller's own would be of its environment, and unknown to many an image. */
	if (isatty(STDIN_FILENO))
		setenv("TERM", "xterm", 0);
	signal(SIGTTIN, SIG_DFL);
	signal(SIGTTOU, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	sigprocmask(SIG_SETMASK, before, NULL);
	execvp(words[0], words);
	if (errno == ENOEXEC)
		execute_script(words);
	const int error = errno;
	fprintf(stderr, "sandbox: cannot execute %s: %s\n", words[0], strerror(error));
	_exit(error == ENOENT ? NOT_FOUND : CANNOT_INVOKE);
}

/* All that ended; what has lost its parent is ours to reap, too. True with the program's status when it is among them. */
static bool reap(pid_t program, int *status)
{
	bool ended = false;
	int found;

	for (pid_t pid; (pid = waitpid(-1, &found, WNOHANG | WUNTRACED)) > 0;) {
		if (pid != program)
			continue;
		if (WIFSTOPPED(found)) {
			/* By Ctrl-Z: there is no shell around it that could let it go on. */
			if (WSTOPSIG(found) == SIGTSTP)
				kill(-program, SIGCONT);
			continue;
		}
		*status = WIFEXITED(found) ? WEXITSTATUS(found) : 128 + WTERMSIG(found);
		ended = true;
	}
	return ended;
}

/*
 * Told by supervise first, and then by the end of the runtime: in between, that signal is what comes of it instead of SIGKILL. From then on
 * we die with supervise. The handler shows it that we are told. docs/decisions/0042-no-runtime-waits.md
 */
static bool change_hands(bool *told)
{
	*told = !*told;
	if (prctl(PR_SET_PDEATHSIG, *told ? HAND_SIGNAL : SIGKILL) != 0)
		return false;
	signal(HAND_SIGNAL, *told ? hear : SIG_DFL);
	return *told || !is_abandoned();
}

static int watch(pid_t program, const sigset_t *managed)
{
	/* Once more: the threads of a killed process close its descriptors a moment after the first of them is gone. */
	struct timespec moment = { .tv_sec = 1 };
	bool settled = false;
	bool told = false;
	siginfo_t from;
	int status;

	while (!reap(program, &status)) {
		const int number = settled ? sigwaitinfo(managed, &from) : sigtimedwait(managed, &from, &moment);

		/* The kernel says 0 of a sender outside of our pid namespace. */
		if (number == HAND_SIGNAL && from.si_code == SI_USER && from.si_pid == 0) {
			if (!change_hands(&told))
				return STATUS_OURS;
			moment = (struct timespec){ .tv_nsec = 500000000 };
			settled = told;
			continue;
		}
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

/*
 * The forwarder, where there is one, is started after the program: what enters a sandbox takes init's first child for its program
 * (lib/engine/enter.ts). The program waits for it by `gate`, so that it cannot be left without one for want of a process.
 */
static bool start_forwarder(const struct forward *forwards, size_t count, const int gate[2])
{
	if (count == 0)
		return true;
	const pid_t forwarder = fork();
	if (forwarder == 0) {
		close(gate[0]);
		close(gate[1]);
		if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0)
			serve_forwards(forwards, count);
		_exit(STATUS_OURS);
	}
	for (size_t i = 0; i < count; i++)
		close(forwards[i].listener);
	if (forwarder > 0 && write(gate[1], "", 1) != 1)
		return false;
	close(gate[0]);
	close(gate[1]);
	return forwarder > 0;
}

/* Whether the forwarder is there. Without one there is nothing to wait for. */
static bool await_forwarder(size_t count, const int gate[2])
{
	char go;

	if (count == 0)
		return true;
	close(gate[1]);
	return read(gate[0], &go, 1) == 1;
}

/* Place of the program's first word, or 0. Opens the forwards that are named before it. */
static int read_words(int argc, char **argv, struct forward *forwards, size_t *count)
{
	static const char *const flags[] = { "-p", "SIGKILL", "-g" };
	int at = 1;

	for (; at <= 3; at++)
		if (at >= argc || strcmp(argv[at], flags[at - 1]) != 0)
			return 0;
	for (; at + 1 < argc && strcmp(argv[at], "-f") == 0; at += 2)
		if (*count == MOST_FORWARDS || !open_forward(argv[at + 1], &forwards[(*count)++]))
			return 0;
	return at + 1 < argc && strcmp(argv[at], "--") == 0 ? at + 1 : 0;
}

int main(int argc, char **argv)
{
	struct forward forwards[MOST_FORWARDS];
	size_t count = 0;
	sigset_t managed, before;
	int gate[2] = { -1, -1 };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || is_abandoned())
		return STATUS_OURS;
	/* Listening before the program begins. */
	const int first = read_words(argc, argv, forwards, &count);
	if (first == 0 || (count > 0 && pipe2(gate, O_CLOEXEC) != 0))
		return STATUS_OURS;
	make_temporary();
	make_shared_memory();
	sigfillset(&managed);
	for (size_t i = 0; i < sizeof(unmanaged) / sizeof(unmanaged[0]); i++)
		sigdelset(&managed, unmanaged[i]);
	sigprocmask(SIG_SETMASK, &managed, &before);
	signal(SIGTERM, hear);
	/* Else the foreground that we give away would stop us. */
	signal(SIGTTIN, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
	const pid_t program = fork();
	if (program == 0) {
		if (!await_forwarder(count, gate))
			_exit(STATUS_OURS);
		start_program(argv + first, &before);
	}
	/* Both do it, so that no signal comes before it. It fails once the program is executed, and then it is done. */
	if (program > 0)
		setpgid(program, program);
	if (program < 0 || !start_forwarder(forwards, count, gate))
		return STATUS_OURS;
	/* The kernel ends everybody else with us. */
	return watch(program, &managed);
}
