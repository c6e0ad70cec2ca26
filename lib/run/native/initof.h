/* Owns finding a sandbox's init among the host's processes. */
#ifndef INITOF_H
#define INITOF_H

#include <sys/types.h>

#include "options.h"

/* The init of the sandbox that `runtime` has made; 0: there is none, or not yet. */
pid_t find_init(const struct options *options, pid_t runtime);

#endif
