/* Owns what the kernel tells of limits that were met: what its OOM killer did, and forks that it refused. */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdint.h>

/* The number after `key` at the start of a line of `path`; 0 when there is none. */
uint64_t count_events(const char *path, const char *key);

/* `oom_kill` of a v1 memory.oom_control or a v2 memory.events. */
uint64_t count_oom_kills(const char *path);

/* How often a fork met the limit: `max` of pids.events, in both versions. */
uint64_t count_refused_forks(const char *path);

/* A descriptor that poll(2) reports when there may be something new to count in `path`; -1 when there is none to have. */
int watch_oom_kills(const char *path, short *events);

/* Takes note that it was reported, so that poll(2) waits for the next one. */
void note_oom_event(int file);

#endif
