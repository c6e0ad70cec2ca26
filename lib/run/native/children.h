/* Owns finding the children of a process. */
#ifndef CHILDREN_H
#define CHILDREN_H

#include <sys/types.h>

/* The oldest child of the main thread of `parent`; 0: none, or no such process. */
pid_t find_first_child(pid_t parent);

#endif
