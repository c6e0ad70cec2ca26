/* Owns finding a sandbox's init among the host's processes. */
#ifndef INITOF_H
#define INITOF_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

/* Whether it is the first of a pid namespace, and ours; by proc(5). Nobody inside can make another (lib/engine/inits.ts). */
bool is_init(pid_t pid);

/* The init of the sandbox that `runtime` has made; 0: there is none, or not yet. */
pid_t find_init(const struct options *options, pid_t runtime);

#endif
