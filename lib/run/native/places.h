/* Owns what a run needs to exist before its program: run directory, configuration, control groups with their limits. */
#ifndef PLACES_H
#define PLACES_H

#include <stdbool.h>

#include "options.h"

/*
 * With --make: makes the run directory and the groups, moves --config in, writes each --limit and reads it back. False,
 * refused, when one cannot be had; what was made is removed again. Letters of limits that do not hold (--best-effort)
 * are added to `options->lacking`. True without that option.
 */
bool make_places(struct options *options);

#endif
