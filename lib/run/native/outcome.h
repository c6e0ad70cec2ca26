/* Owns what a run came to: reason, exit status, counts. */
#ifndef OUTCOME_H
#define OUTCOME_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"

#define STATUS_OURS 125 /* the run failed for a reason of ours, not of the program */

enum reason { EXITED, SIGNALLED, TIMEOUT, IDLE, OOM, CANCELLED, LAUNCH, OUTPUT, RECORD };

struct outcome {
	enum reason reason;
	int status;      /* our exit status */
	int64_t start_ms; /* wall clock */
	int64_t end_ms;
	uint64_t produced[2]; /* bytes of stdout and stderr */
	bool truncated[2];
	bool pids_hit;   /* a fork was refused for the limit of processes */
	bool gone;       /* no process of the run is left */
};

/* How the watching ended; what it means is decided by `judge`. */
struct ending {
	bool started;      /* the program was executed, as far as we know */
	enum reason cause; /* TIMEOUT, IDLE, CANCELLED, OOM when we stopped it; EXITED when it ended by itself */
	int signal;        /* that cancelled it */
	int wait_status;
	int output_error[2]; /* errno of a stream that could not be written, 0 otherwise */
};

/* Sets reason and status, and says what a caller could not know otherwise. Reads --oom-file, --pids-file and --log. */
void judge(const struct options *options, const struct ending *ending, struct outcome *outcome);

/* The program owns stderr; only a person at a terminal is told which limit ended it. */
void tell_person(const struct options *options, const struct outcome *outcome);

/* The word that records carry. */
const char *reason_word(enum reason reason);

#endif
