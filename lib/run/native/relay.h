/* Owns passing the guest's output on, and the caller's input in. */
#ifndef RELAY_H
#define RELAY_H

#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One output stream. The thread writes the atomics, the main thread reads them. */
struct relay {
	int from;         /* our end of the guest's pipe, non-blocking */
	int to;           /* the caller's descriptor, blocking */
	char logged_as;   /* stream of the output log that gets it instead of `to`; 0: none */
	uint64_t most;    /* bytes passed on at most; 0: unbounded */
	int wake;         /* eventfd, written when this relay has ended */
	int finish_event; /* eventfd, readable once `finish` is set */
	bool begun;       /* the main thread's: it has a thread, or came to its end without one */
	atomic_bool finish;
	atomic_uint_least64_t produced; /* bytes the guest wrote and we took */
	atomic_int_least64_t active_ms; /* monotonic time of the last byte */
	atomic_bool truncated;
	atomic_bool dropped; /* a full disk cost the output log a part */
	atomic_bool ended;
	atomic_int error; /* errno of a write that failed for another reason than a caller who left */
};

/* Writes all of it, waiting where it must. Returns 0 or the errno that ended it. */
int write_all(int fd, const unsigned char *data, size_t size);

/* Starts a thread with a small stack that nobody waits for. Sets errno. */
bool start_thread(void *(*run)(void *), void *argument);

/* What to poll for the relay until it has begun. */
struct pollfd await_relay(const struct relay *relay);

/*
 * Takes what that poll said: a thread is started for the first byte, so that what says nothing costs none. Where it cannot be, the
 * guest's pipe is closed, and `error` says why.
 */
void begin_relay(struct relay *relay, short revents);

/* Tells a relay to pass on what is in the pipe now and then end, even if somebody still holds the pipe. */
void finish_relay(struct relay *relay);

/* Starts the thread that copies our stdin to `to` until either side ends; `to` is closed then. Sets errno. */
bool start_input(int to);

#endif
