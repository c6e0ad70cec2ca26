/* Owns the user namespace of a sandbox that a plain user starts. */
#ifndef IDMAP_H
#define IDMAP_H

#include <stdbool.h>
#include <sys/types.h>

#include "options.h"

struct id_map {
	pid_t holder;   /* sleeps inside the namespace until it is mapped; 0: none */
	pid_t tools[2]; /* newuidmap, newgidmap */
	int space;      /* descriptor of the namespace; -1: none */
};

/* Makes the namespace of --map-uids and --map-gids and starts the tools that map it; they run while we go on. */
bool start_id_map(const struct options *options, struct id_map *map);

/* Waits for the tools. False, refused, when an id could not be mapped. Nothing but `space` is left. */
bool finish_id_map(const struct options *options, struct id_map *map);

/* Ends what start_id_map began. */
void drop_id_map(struct id_map *map);

#endif
