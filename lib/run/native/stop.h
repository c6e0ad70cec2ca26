/* Owns ending a program that runs: TERM until it can be heard, and KILL. */
#ifndef STOP_H
#define STOP_H

#include <stdint.h>

#include "child.h"
#include "clock.h"
#include "options.h"

struct stop {
	int64_t begun;      /* when TERM was sent */
	int64_t repeat_at;  /* while it may have been lost */
	int64_t kill_at;    /* after a TERM */
	int64_t abandon_at; /* after a KILL */
};

#define NO_STOP (struct stop){ .repeat_at = NEVER, .kill_at = NEVER, .abandon_at = NEVER }

/* Sends TERM; its grace begins. */
void begin_stop(struct stop *stop, const struct options *options, const struct child *child);

/* Once more, when the time for it has come. */
void repeat_stop(struct stop *stop, const struct child *child, int64_t now);

/* KILL; what it takes the kernel is bounded by abandon_at. */
void kill_child(struct stop *stop, const struct options *options, const struct child *child);

/* When something of this is due. */
int64_t find_next_step(const struct stop *stop);

#endif
