/* Owns executing a file without an interpreter: POSIX hands it to sh (execvp), and musl leaves that to its callers. */
#include "script.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool is_executable(const char *path)
{
	struct stat found;

	return stat(path, &found) == 0 && S_ISREG(found.st_mode) && access(path, X_OK) == 0;
}

static bool find(const char *name, char *path)
{
	const char *left = getenv("PATH");

	if (strchr(name, '/') != NULL || left == NULL)
		return snprintf(path, PATH_MAX, "%s", name) < PATH_MAX;
	for (const char *end; left != NULL; left = *end == ':' ? end + 1 : NULL) {
		end = strchrnul(left, ':');
		/* An empty one is the folder that one is in. */
		const int size = snprintf(path, PATH_MAX, "%.*s%s%s", (int)(end - left), left, end == left ? "./" : "/", name);
		if (size < PATH_MAX && is_executable(path))
			return true;
	}
	return false;
}

void execute_script(char **words)
{
	static char sh[] = "/bin/sh";
	char path[PATH_MAX];
	size_t count = 0;

	while (words[count] != NULL)
		count++;
	char **argv = calloc(count + 2, sizeof(*argv));
	if (argv == NULL || !find(words[0], path)) {
		errno = ENOEXEC;
		return;
	}
	argv[0] = sh;
	argv[1] = path;
	memcpy(argv + 2, words + 1, (count - 1) * sizeof(*argv));
	execv(sh, argv);
}
