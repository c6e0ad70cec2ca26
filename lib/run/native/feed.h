/* Owns passing the caller's input in. */
#ifndef FEED_H
#define FEED_H

#include <stdbool.h>

/* Starts the thread that copies our stdin to `to` until either side ends; `to` is closed then. Sets errno. */
bool start_input(int to);

#endif
