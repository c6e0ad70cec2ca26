/* Owns finding the children of a process, by proc(5). */
#include "children.h"

#include <stdio.h>
#include <stdlib.h>

#include "smallfile.h"

pid_t find_first_child(pid_t parent)
{
	char path[64], text[4096];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", parent, parent);
	if (read_small_file(path, 0, text, sizeof(text)) <= 0)
		return 0;
	return (pid_t)strtol(text, NULL, 10);
}
