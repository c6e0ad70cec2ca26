/* Owns attempts to take more than the bounds: processes, descriptors, bytes, priority. */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_PROCESSES 4200
#define MOST_DESCRIPTORS 1100000
#define PAGE 4096

/* Only ever asked for inside: outside it would take a user's last processes. */
static void fill_processes(const struct attempt *attempt, struct outcome *outcome)
{
	static pid_t made[MOST_PROCESSES];
	int count = 0;

	(void)attempt;
	for (; count < MOST_PROCESSES; count++) {
		made[count] = fork();
		if (made[count] < 0) {
			outcome->error = errno;
			break;
		}
		if (made[count] == 0)
			for (;;)
				pause();
	}
	for (int i = 0; i < count; i++)
		kill(made[i], SIGKILL);
	while (wait(NULL) > 0)
		;
	snprintf(outcome->detail, DETAIL_MAX, "%d", count);
}

static void fill_descriptors(const struct attempt *attempt, struct outcome *outcome)
{
	int count = 0;

	(void)attempt;
	for (; count < MOST_DESCRIPTORS && outcome->error == 0; count++)
		if (dup(0) < 0)
			outcome->error = errno;
	snprintf(outcome->detail, DETAIL_MAX, "%d", count);
}

static int open_file(const char *folder)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/cofferdam-probe-%d", folder, (int)getpid());
	const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* Sparse: no byte of it is ever written. */
static void stretch_file(const struct attempt *attempt, struct outcome *outcome)
{
	const int fd = open_file(setting.folder);

	(void)attempt;
	signal(SIGXFSZ, SIG_IGN);
	if (fd < 0)
		outcome->error = ECANCELED;
	else if (ftruncate(fd, (off_t)setting.file_size + 1) != 0)
		outcome->error = errno;
}

/* tmpfs compares with its size before it takes a page, so nothing is charged to anybody. */
static void fill_tmp(const struct attempt *attempt, struct outcome *outcome)
{
	const int fd = open_file("/tmp");

	(void)attempt;
	signal(SIGXFSZ, SIG_IGN);
	if (fd < 0)
		outcome->error = ECANCELED;
	else if (fallocate(fd, 0, 0, (off_t)setting.tmp_size + PAGE) != 0)
		outcome->error = errno;
}

static void raise_limit(const struct attempt *attempt, struct outcome *outcome)
{
	struct rlimit limit;

	(void)attempt;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		outcome->error = ECANCELED;
	limit.rlim_max += 1;
	if (outcome->error == 0 && setrlimit(RLIMIT_NOFILE, &limit) != 0)
		outcome->error = errno;
}

static void become_realtime(const struct attempt *attempt, struct outcome *outcome)
{
	const struct sched_param first = { .sched_priority = 1 };

	(void)attempt;
	if (sched_setscheduler(0, SCHED_FIFO, &first) != 0)
		outcome->error = errno;
}

/* -1000: the kernel would end others first when memory runs out. */
static void escape_oom(const struct attempt *attempt, struct outcome *outcome)
{
	const int fd = open("/proc/self/oom_score_adj", O_WRONLY);

	(void)attempt;
	if (fd < 0 || write(fd, "-1000", 5) < 0)
		outcome->error = errno;
}

static const struct attempt attempts[] = {
	{ .id = "limit.processes-hold", .act = fill_processes },
	{ .id = "limit.descriptors-hold", .act = fill_descriptors },
	{ .id = "limit.file-size-holds", .act = stretch_file },
	{ .id = "limit.tmp-size-holds", .act = fill_tmp },
	{ .id = "limit.raise-descriptors", .act = raise_limit },
	{ .id = "limit.become-realtime", .act = become_realtime },
	{ .id = "limit.escape-oom", .act = escape_oom },
};

const struct table limit_attempts = { attempts, COUNT(attempts) };
