/* Owns asking whether a plan is still that of its inputs, and what happens when it is not. */
#ifndef INPUTS_H
#define INPUTS_H

#include <stdbool.h>

#include "options.h"

/*
 * Whether the entry --inputs belongs to the plan --plan and every "#input" line of it says what stat(2) says now.
 * lib/run/planIndex.ts writes it. True without that option.
 */
bool inputs_hold(const struct options *options);

/* Removes the entry, --config and the slots, and executes the command that compiles a new plan. Returns on failure only. */
void start_over(const struct options *options);

#endif
