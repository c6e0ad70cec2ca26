/*
 * Owns stepping through a whole tree of processes by ptrace(2): it notes every call that changes the host, and at one of
 * them, before the call is made, sends SIGKILL to one process. Then it lets go of all others.
 *
 *   killAt LOG PROCESS STEP VICTIM -- PROGRAM [ARGUMENT...]
 *
 * Processes are named by birth: 0, its second child 0.2, and that one's first 0.2.1. Steps count from 1 in each process.
 * PROCESS `-` kills nobody. Status: 0 killed, 3 everything ended before that step, 2 our own failure.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <linux/ptrace.h>
#include <unistd.h>

#include "calls.h"
#include "memory.h"
#include "tasks.h"

#define OPTIONS                                                                                                        \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

struct aim {
	const char *process;
	int step;
	const char *victim;
};

static FILE *log_file;

/* A task that is gone meanwhile needs nothing: its end is reported by waitpid(2). */
static void resume(pid_t tid, long signal)
{
	ptrace(PTRACE_SYSCALL, tid, 0, signal);
}

static void take_birth(struct task *parent)
{
	unsigned long message;
	struct task *child;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, 0, &message) != 0)
		return;
	struct process *process = parent->process;
	if (!is_thread_of((pid_t)message, process))
		process = add_process((pid_t)message, process);
	child = find_task((pid_t)message);
	if (child == NULL) {
		add_task((pid_t)message, process);
		return;
	}
	child->process = process;
	resume(child->tid, 0);
}

/* What a call names, for the log. */
static void read_name(char *to, size_t size, pid_t tid, const struct call *call, const struct ptrace_syscall_info *info)
{
	to[0] = '\0';
	if (call->path != NONE)
		read_path(to, size, tid, info->entry.args[call->path]);
	if (call->file != NONE)
		read_link(to, size, tid, info->entry.args[call->file]);
}

/* Words between threads and processes, and to nobody, leave nothing; and how many there are is never the same. */
static bool is_talk(const struct call *call, const char *what)
{
	return strcmp(what, "/dev/null") == 0 ||
	       (strncmp(call->name, "write", 5) == 0 && (strncmp(what, "pipe:", 5) == 0 ||
		strncmp(what, "anon_inode:", 11) == 0 || strncmp(what, "socket:", 7) == 0));
}

static void note(const struct task *task, const struct call *call, const char *what)
{
	char path[64], command[32];

	snprintf(path, sizeof(path), "/proc/%d/comm", task->tid);
	read_file(command, sizeof(command), path);
	fprintf(log_file, "%s\t%d\t%s\t%s\t%s\n", task->process->name, task->process->steps, command, call->name, what);
}

/* Whether this is the step that was aimed at. */
static bool take_call(const struct task *task, const struct aim *aim)
{
	struct ptrace_syscall_info info;
	const struct call *call;
	char what[256];

	if (ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, sizeof(info), &info) <= 0 || info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return false;
	call = find_call(&info, task->tid);
	if (call == NULL)
		return false;
	read_name(what, sizeof(what), task->tid, call, &info);
	if (is_talk(call, what))
		return false;
	task->process->steps++;
	note(task, call, what);
	return task->process->steps == aim->step && strcmp(task->process->name, aim->process) == 0;
}

/* Until it is gone; everybody else is let go, here or when we end (ptrace(2)). */
static _Noreturn void kill_victim(const char *name)
{
	const pid_t victim = find_process(name);
	int status;

	if (victim == 0)
		exit(3);
	fflush(log_file);
	if (kill(victim, SIGKILL) != 0)
		give_up("kill");
	for (;;) {
		const pid_t tid = waitpid(-1, &status, __WALL);
		if (tid < 0 || (tid == victim && !WIFSTOPPED(status)))
			exit(0);
		if (WIFSTOPPED(status))
			ptrace(PTRACE_DETACH, tid, 0, status >> 16 != 0 || WSTOPSIG(status) == (SIGTRAP | 0x80) ? 0 : WSTOPSIG(status));
	}
}

static void take_stop(pid_t tid, int status, const struct aim *aim)
{
	const int signal = WSTOPSIG(status);
	const int event = status >> 16;
	struct task *task = find_task(tid);

	if (task == NULL) {
		add_task(tid, NULL);
		return;
	}
	if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE)
		take_birth(task);
	else if (event == PTRACE_EVENT_STOP && signal != SIGTRAP) {
		ptrace(PTRACE_LISTEN, tid, 0, 0);
		return;
	} else if (event == 0 && signal == (SIGTRAP | 0x80) && take_call(task, aim))
		kill_victim(aim->victim);
	resume(tid, event != 0 || signal == (SIGTRAP | 0x80) ? 0 : signal);
}

static void start(char **program)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) != 0)
		give_up("pipe");
	const pid_t pid = fork();
	if (pid < 0)
		give_up("fork");
	if (pid == 0) {
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 0)
			_exit(2);
		execv(program[0], program);
		_exit(2);
	}
	if (ptrace(PTRACE_SEIZE, pid, 0, OPTIONS) != 0)
		give_up("ptrace");
	add_task(pid, add_process(pid, NULL));
	close(ready[1]);
	close(ready[0]);
}

int main(int argc, char **argv)
{
	int status;

	if (argc < 7 || strcmp(argv[5], "--") != 0) {
		fprintf(stderr, "killAt LOG PROCESS STEP VICTIM -- PROGRAM [ARGUMENT...]\n");
		return 2;
	}
	const struct aim aim = { .process = argv[2], .step = atoi(argv[3]), .victim = argv[4] };
	log_file = fopen(argv[1], "we");
	if (log_file == NULL)
		give_up(argv[1]);
	start(argv + 6);
	while (count_tasks() > 0) {
		const pid_t tid = waitpid(-1, &status, __WALL);
		if (tid < 0)
			break;
		if (WIFSTOPPED(status))
			take_stop(tid, status, &aim);
		else
			drop_task(tid);
	}
	fclose(log_file);
	return strcmp(aim.process, "-") == 0 ? 0 : 3;
}
