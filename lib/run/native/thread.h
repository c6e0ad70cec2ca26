/* Owns starting a thread. */
#ifndef THREAD_H
#define THREAD_H

#include <stdbool.h>

/* Starts a thread with a small stack that nobody waits for. Sets errno. */
bool start_thread(void *(*run)(void *), void *argument);

#endif
