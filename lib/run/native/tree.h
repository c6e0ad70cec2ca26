/* Owns removing a run's directory, whose content the guest may have chosen. */
#ifndef TREE_H
#define TREE_H

#include <stdbool.h>

/* Removes `path` and what is in it. Follows no link, leaves the mount never. False, said, when something is left. */
bool remove_tree(const char *path);

#endif
