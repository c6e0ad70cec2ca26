/* Owns what the forwarder keeps once it is in a sandbox's network: a few system calls, and no privilege. */
#ifndef CONFINE_H
#define CONFINE_H

#include <stdbool.h>

/* Gives up every capability, for good. */
bool drop_privileges(void);

/* From here on only what pump() calls; any other system call ends the process. */
bool restrict_calls(void);

#endif
