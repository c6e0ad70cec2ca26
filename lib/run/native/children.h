/* Owns finding the children of a process. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <stddef.h>
#include <sys/types.h>

/* The first `most` children of the main thread of `parent`, oldest first; gives how many. None: 0, also when there is no such process. */
size_t list_children(pid_t parent, pid_t *children, size_t most);

/* The oldest; 0: none. */
pid_t find_first_child(pid_t parent);

#endif
