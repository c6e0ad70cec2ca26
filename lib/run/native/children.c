/* Owns finding the children of a process, by proc(5). */
#include "children.h"

#include <stdio.h>
#include <stdlib.h>

#include "smallfile.h"

size_t list_children(pid_t parent, pid_t *children, size_t most)
{
	char path[64], text[4096];
	char *rest = text;
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	if (read_small_file(path, 0, text, sizeof(text)) <= 0)
		return 0;
	for (char *end; count < most; rest = end) {
		children[count] = (pid_t)strtol(rest, &end, 10);
		/* A number that the buffer cut has no blank behind it. */
		if (end == rest || *end != ' ')
			break;
		count++;
	}
	return count;
}

pid_t find_first_child(pid_t parent)
{
	pid_t first;

	return list_children(parent, &first, 1) == 1 ? first : 0;
}
