/* Owns passing the guest's output on. */
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
	int wake;         /* eventfd, written when this relay has ended, or rests */
	int finish_event; /* eventfd, readable once `finish` is set */
	uint64_t passed;  /* bytes passed on; its thread's, as the next one */
	uint64_t late;    /* bytes that came after the end of the run */
	atomic_bool begun; /* it has a thread, or came to its end: the main thread does not wait for it */
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

/* What to poll for the relay until it has begun. */
struct pollfd await_relay(const struct relay *relay);

/*
 * Takes what that poll said: a thread is started for the first byte and given back in silence, so that what says nothing costs none.
 * Where the host can spare none, the bytes stay where they are until it can.
 */
void begin_relay(struct relay *relay, short revents);

/* Tells a relay to pass on what is in the pipe now and then end, even if somebody still holds the pipe. */
void finish_relay(struct relay *relay);

#endif
