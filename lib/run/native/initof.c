/* Owns finding a sandbox's init: the child of our runtime, or where an engine starts it for us, in the run's control group. */
#include "initof.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "members.h"
#include "smallfile.h"

#define MOST 4096

bool is_init(pid_t pid)
{
	static const char name[] = "Name:\tinit\n";
	static const char numbers[] = "\nNSpid:";
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (read_small_file(path, 0, text, sizeof(text)) <= 0 || strncmp(text, name, sizeof(name) - 1) != 0)
		return false;
	const char *at = strstr(text, numbers);
	long last = 0;

	if (at == NULL)
		return false;
	at += sizeof(numbers) - 1;
	for (char *end; *at == '\t'; at = end)
		last = strtol(at + 1, &end, 10);
	return *at == '\n' && last == 1;
}

static pid_t find_in_group(const char *group)
{
	static pid_t members[MOST];
	const int dir = open(group, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const int count = dir < 0 ? 0 : list_members(dir, members, MOST);

	if (dir >= 0)
		close(dir);
	for (int i = 0; i < count; i++)
		if (members[i] > 1 && is_init(members[i]))
			return members[i];
	return 0;
}

pid_t find_init(const struct options *options, pid_t runtime)
{
	if (!options->init_in_group)
		return find_first_child(runtime);
	return options->cgroup_count == 0 ? 0 : find_in_group(options->cgroups[0]);
}
