/* Owns what an execution leaves running in a sandbox that lives on. */
#ifndef REST_H
#define REST_H

#include <stdbool.h>

#include "options.h"
#include "outcome.h"

/* Whether what the program left goes on: an execution in a live sandbox came to its end by itself. */
bool leaves_rest(const struct options *options, const struct ending *ending);

/*
 * Removes the groups of an execution that ended by itself, unless processes go on in them: those are the sandbox's now and end with
 * it. Removes such groups of earlier executions, too, once they are empty.
 */
void leave_rest(const struct options *options);

#endif
