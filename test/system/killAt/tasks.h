/* Owns the processes and threads that are followed, and their names by birth. */
#ifndef TASKS_H
#define TASKS_H

#include <stdbool.h>
#include <sys/types.h>

struct process {
	pid_t pid;
	char name[64];
	int children;
	int steps;
};

struct task {
	pid_t tid;
	struct process *process; /* NULL: it stopped before its parent told us of it */
};

/* Says why, and ends with 2. */
_Noreturn void give_up(const char *what);

/* Under the next name below its parent's; the first has none. */
struct process *add_process(pid_t pid, struct process *parent);

/* A living process of that name, 0 when there is none. */
pid_t find_process(const char *name);

/* NULL when it is not followed yet. */
struct task *find_task(pid_t tid);
struct task *add_task(pid_t tid, struct process *process);
void drop_task(pid_t tid);

/* How many are followed. */
int count_tasks(void);

bool is_thread_of(pid_t tid, const struct process *process);

#endif
