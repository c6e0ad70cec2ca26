/* Owns the words of ending what one execution started. */
#ifndef COFFERDAM_WITHIN_END_H
#define COFFERDAM_WITHIN_END_H

#include <stdbool.h>

/*
 * Ends all processes that have the supplementary group: it is inherited, and nobody without CAP_SETGID gets rid of it
 * (setgroups(2)). Both as text. True when none is left.
 */
bool end_group(const char *group, const char *grace_ms);

#endif
