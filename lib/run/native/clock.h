/* Owns the two clocks: monotonic for deadlines, wall for what people read. Both in milliseconds. */
#ifndef CLOCK_H
#define CLOCK_H

#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <time.h>

#define NEVER INT64_MAX

static inline int64_t clock_ms(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int64_t monotonic_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

static inline int64_t wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

static inline void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static inline int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* poll(2) until a monotonic time. */
static inline int poll_until(struct pollfd *fds, nfds_t count, int64_t until)
{
	const int64_t left = until == NEVER ? -1 : until - monotonic_ms();

	if (until != NEVER && left <= 0)
		return poll(fds, count, 0);
	return poll(fds, count, left > INT_MAX ? INT_MAX : (int)left);
}

#endif
