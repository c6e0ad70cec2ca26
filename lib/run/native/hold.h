/* Owns telling the daemon of the way out that the sandbox lives. docs/decisions/0028-live-way-out.md */
#ifndef HOLD_H
#define HOLD_H

#include <stdbool.h>

#include "options.h"

/* Opens --hold for writing; `held` is -1 without one. False, and said why, when nobody reads it: then its way is closed. */
bool take_hold(const struct options *options, int *held);

/* Lets it go. The kernel does so however we end. */
void end_hold(int *held);

#endif
