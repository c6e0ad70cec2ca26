/* Owns giving back the files that lend a run its host ids and its name. */
#ifndef SLOTS_H
#define SLOTS_H

#include "options.h"

/* Removes each --slot, but for one that says another run's id: it was freed behind our back and taken again. */
void free_slots(const struct options *options);

#endif
