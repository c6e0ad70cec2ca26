/* Owns what we become when a run has ended. */
#ifndef AFTERWARDS_H
#define AFTERWARDS_H

#include "options.h"

/* Executes --afterwards, where it is given; only for a sandbox that lives on, whose status nobody asks us for. */
void become_afterwards(const struct options *options);

#endif
