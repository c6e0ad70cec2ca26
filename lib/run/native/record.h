/* Owns the record of a run: one line, on disk before anything is cleaned up. */
#ifndef RECORD_H
#define RECORD_H

#include <stdbool.h>

#include "options.h"
#include "outcome.h"

/* Opens --record for appending, before anything runs. -1 without that option; -2, said, on failure. */
int open_record(const struct options *options);

/* Appends the line to `file` (-1: none) and brings it to the disk. False, said, when it may not be there. */
bool write_record(const struct options *options, const struct outcome *outcome, int file);

/* Writes the same line to --result-fd; gives up after a second when nobody reads it. */
void send_result(const struct options *options, const struct outcome *outcome);

#endif
