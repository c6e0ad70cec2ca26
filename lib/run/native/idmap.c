/*
 * Owns the user namespace of a sandbox that a plain user starts. The runtime would start newuidmap and newgidmap one after the
 * other and wait for each; here both run while the rest is made ready, and the runtime joins by path.
 */
#include "idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "refuse.h"
#include "say.h"

#define LONGEST_MAP 256
#define MOST_NUMBERS 12

static _Noreturn void hold(pid_t parent)
{
	/* First, and then the check: a parent that died in between can no longer signal us. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent)
		_exit(1);
	for (;;)
		pause();
}

static pid_t clone_holder(void)
{
	struct clone_args how = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	const pid_t parent = getpid();
	const pid_t pid = (pid_t)syscall(SYS_clone3, &how, sizeof(how));

	if (pid == 0)
		hold(parent);
	return pid;
}

static _Noreturn void become_tool(const char *tool, pid_t holder, const char *numbers)
{
	static char *none[] = { NULL };
	char text[LONGEST_MAP];
	char pid[16];
	char *words[MOST_NUMBERS + 3] = { (char *)tool, pid };
	size_t count = 2;

	snprintf(pid, sizeof(pid), "%d", holder);
	snprintf(text, sizeof(text), "%s", numbers);
	for (char *rest = text, *word; count < MOST_NUMBERS + 2 && (word = strtok_r(rest, " ", &rest)) != NULL;)
		words[count++] = word;
	execve(tool, words, none);
	_exit(127);
}

/*
 * `numbers`: "INSIDE OUTSIDE COUNT" once or several times, as the tools take them (newuidmap(1)). Not posix_spawn, which waits for
 * the exec: the second tool would start half a millisecond after the first.
 */
static pid_t start_tool(const char *tool, pid_t holder, const char *numbers)
{
	const pid_t pid = fork();

	if (pid == 0)
		become_tool(tool, holder, numbers);
	return pid;
}

bool start_id_map(const struct options *options, struct id_map *map)
{
	char path[64];

	*map = (struct id_map){ .space = -1 };
	if (options->map_uids == NULL)
		return true;
	map->holder = clone_holder();
	if (map->holder > 0) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", map->holder);
		map->space = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (map->space >= 0) {
		map->tools[0] = start_tool(options->newuidmap, map->holder, options->map_uids);
		map->tools[1] = start_tool(options->newgidmap, map->holder, options->map_gids);
	}
	if (map->tools[0] > 0 && map->tools[1] > 0)
		return true;
	refuse(options, "HOST_UNPREPARED", "sandbox doctor", "a user namespace could not be made: %s", why(errno));
	drop_id_map(map);
	return false;
}

static void end_holder(struct id_map *map)
{
	if (map->holder <= 0)
		return;
	kill(map->holder, SIGKILL);
	waitpid(map->holder, NULL, 0);
	map->holder = 0;
}

bool finish_id_map(const struct options *options, struct id_map *map)
{
	bool mapped = true;

	for (size_t i = 0; i < 2; i++) {
		int status = 1;

		if (map->tools[i] > 0 && (waitpid(map->tools[i], &status, 0) != map->tools[i] || status != 0))
			mapped = false;
		map->tools[i] = 0;
	}
	end_holder(map);
	if (mapped)
		return true;
	refuse(options, "HOST_UNPREPARED", "as root: sandbox setup --user NAME",
	       "newuidmap or newgidmap could not map the sandbox's ids");
	drop_id_map(map);
	return false;
}

void drop_id_map(struct id_map *map)
{
	for (size_t i = 0; i < 2; i++)
		if (map->tools[i] > 0)
			waitpid(map->tools[i], NULL, 0);
	end_holder(map);
	if (map->space >= 0)
		close(map->space);
	*map = (struct id_map){ .space = -1 };
}
