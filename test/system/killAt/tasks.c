/* Owns the processes and threads that are followed, and their names by birth. */
#include "tasks.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 4096

static struct process processes[MOST];
static struct task tasks[MOST];
static int process_count, task_count;

_Noreturn void give_up(const char *what)
{
	fprintf(stderr, "killAt: %s: %s\n", what, strerror(errno));
	exit(2);
}

struct process *add_process(pid_t pid, struct process *parent)
{
	struct process *process = &processes[process_count];

	if (++process_count == MOST)
		give_up("too many processes");
	*process = (struct process){ .pid = pid, .name = "0" };
	if (parent != NULL)
		snprintf(process->name, sizeof(process->name), "%.50s.%d", parent->name, ++parent->children);
	return process;
}

struct task *find_task(pid_t tid)
{
	for (int i = 0; i < task_count; i++)
		if (tasks[i].tid == tid)
			return &tasks[i];
	return NULL;
}

struct task *add_task(pid_t tid, struct process *process)
{
	if (task_count == MOST)
		give_up("too many tasks");
	tasks[task_count] = (struct task){ .tid = tid, .process = process };
	return &tasks[task_count++];
}

void drop_task(pid_t tid)
{
	struct task *task = find_task(tid);

	if (task != NULL)
		*task = tasks[--task_count];
}

bool is_thread_of(pid_t tid, const struct process *process)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", process->pid, tid);
	return access(path, F_OK) == 0;
}

pid_t find_process(const char *name)
{
	for (int i = 0; i < process_count; i++)
		if (strcmp(processes[i].name, name) == 0 && kill(processes[i].pid, 0) == 0)
			return processes[i].pid;
	return 0;
}

int count_tasks(void)
{
	return task_count;
}
