/* Owns the relays: a thread per stream that says anything, with blocking writes: a caller who does not read never stalls a deadline. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "outputlog.h"
#include "thread.h"
#include "utf8.h"

#define BUFFER (64 * 1024)
#define LONGEST_PART 3 /* of an unfinished UTF-8 sequence */
#define REST_MS 1000   /* of silence, until a stream gives its thread back */
#define AGAIN_MS 20    /* until a thread that the host could not spare is asked for again */

/* Static, not on the stack: the whole memory of a relay is known at link time. */
static unsigned char buffers[2][BUFFER];

int write_all(int fd, const unsigned char *data, size_t size)
{
	while (size > 0) {
		const ssize_t done = write(fd, data, size);

		if (done >= 0) {
			data += done;
			size -= (size_t)done;
		} else if (errno == EAGAIN) {
			/* The caller made its descriptor non-blocking; it is shared, so we leave that alone. */
			struct pollfd out = { .fd = fd, .events = POLLOUT };
			poll(&out, 1, -1);
		} else if (errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

/* As write_all; into the log nothing fails, so that a full disk never stops a program. */
static int pass_on(struct relay *relay, const unsigned char *data, size_t size)
{
	if (relay->logged_as == 0)
		return write_all(relay->to, data, size);
	if (size > 0 && !log_output(relay->logged_as, data, size))
		atomic_store(&relay->dropped, true);
	return 0;
}

enum wait { READABLE, FINISHED, SILENT };

/* Waits for bytes, and not longer than is worth a thread. */
static enum wait wait_readable(struct relay *relay)
{
	struct pollfd fds[2] = {
		{ .fd = relay->from, .events = POLLIN },
		{ .fd = relay->finish_event, .events = POLLIN },
	};

	if (atomic_load(&relay->finish))
		return FINISHED;
	return poll(fds, 2, REST_MS) == 0 ? SILENT : READABLE;
}

/*
 * Reads once, blocking. Returns 0 at the end: end of file, failure, or nothing more after `finish`; and -1 when `may_rest` and the
 * stream is silent. A terminal whose other side was closed may say so (EIO) before it hands over what was written last: the kernel
 * looks for input first, and for the end second.
 */
static ssize_t read_some(struct relay *relay, unsigned char *buffer, size_t room, bool may_rest)
{
	for (bool closed = false;;) {
		enum wait waited = READABLE;

		const ssize_t got = read(relay->from, buffer, room);

		if (got > 0) {
			atomic_fetch_add(&relay->produced, (uint64_t)got);
			atomic_store(&relay->active_ms, monotonic_ms());
			return got;
		}
		if (got < 0 && errno == EIO && !closed) {
			closed = true;
			continue;
		}
		if (got == 0 || (errno != EINTR && errno != EAGAIN))
			return 0;
		if (errno == EAGAIN)
			waited = wait_readable(relay);
		if (waited == FINISHED)
			return 0;
		if (waited == SILENT && may_rest)
			return -1;
	}
}

/*
 * Bytes of the buffer that may go out now. Behind the bound nothing may follow an unfinished sequence, and what was
 * written cannot be taken back: an unfinished sequence that could reach the bound waits for its next byte.
 */
static size_t passable(struct relay *relay, const unsigned char *buffer, size_t size, uint64_t passed)
{
	const uint64_t left = relay->most - passed;

	if (relay->most == 0 || size + LONGEST_PART < left)
		return size;
	if (size <= left)
		return cut_utf8(buffer, size);
	atomic_store(&relay->truncated, true);
	return cut_utf8(buffer, (size_t)left);
}

/*
 * Counts what comes after the end of the run: one pipe's worth was written before it, more comes from somebody who
 * still holds the pipe and has no claim on the caller. The guest may have enlarged the pipe, so its size is asked for.
 */
static bool is_too_late(struct relay *relay, size_t got)
{
	if (!atomic_load(&relay->finish))
		return false;
	relay->late += got;
	/* A terminal has no size that could be asked for, and holds less than a buffer of ours. */
	const int size = fcntl(relay->from, F_GETPIPE_SZ);
	return relay->late > (uint64_t)(size < 0 ? BUFFER : size);
}

/* False: it is silent for now, and nothing of it is held. */
static bool pass_output(struct relay *relay, unsigned char *buffer)
{
	size_t held = 0;
	int error = 0;

	while (error == 0) {
		const ssize_t some = read_some(relay, buffer + held, BUFFER - held, held == 0);
		const size_t got = some < 0 ? 0 : (size_t)some;

		if (some < 0)
			return false;
		if (is_too_late(relay, got)) {
			atomic_store(&relay->truncated, true);
			break;
		}
		if (atomic_load(&relay->truncated)) {
			if (got == 0)
				break;
			continue;
		}
		if (got == 0) {
			error = pass_on(relay, buffer, held);
			break;
		}
		const size_t size = held + got;
		const size_t out = passable(relay, buffer, size, relay->passed);
		error = pass_on(relay, buffer, out);
		atomic_store(&relay->active_ms, monotonic_ms());
		relay->passed += out;
		held = atomic_load(&relay->truncated) ? 0 : size - out;
		for (size_t i = 0; i < held; i++)
			buffer[i] = buffer[out + i];
	}
	/* A caller who left has chosen so; a full disk has not been chosen by anybody. */
	if (error != 0 && error != EPIPE && error != ECONNRESET && error != EBADF)
		atomic_store(&relay->error, error);
	return true;
}

/* The guest's next write fails as it would have on the caller's own descriptor. */
static void end_relay(struct relay *relay)
{
	close(relay->from);
	atomic_store(&relay->ended, true);
	eventfd_write(relay->wake, 1);
}

/* Hands the stream back to the main thread. False: that one has told it to finish meanwhile, and did not take it. */
static bool rest(struct relay *relay)
{
	atomic_store(&relay->begun, false);
	eventfd_write(relay->wake, 1);
	return !atomic_load(&relay->finish) || atomic_exchange(&relay->begun, true);
}

static void *run_relay(void *argument)
{
	struct relay *relay = argument;

	atomic_store(&relay->error, 0);
	while (!pass_output(relay, buffers[relay->to == STDOUT_FILENO ? 0 : 1]))
		if (rest(relay))
			return NULL;
	end_relay(relay);
	return NULL;
}

struct pollfd await_relay(const struct relay *relay)
{
	return (struct pollfd){ .fd = atomic_load(&relay->begun) ? -1 : relay->from, .events = POLLIN };
}

void begin_relay(struct relay *relay, short revents)
{
	struct pollfd again = { .fd = relay->from, .events = POLLIN };

	if (revents == 0 || atomic_exchange(&relay->begun, true))
		return;
	/* The last byte and the end may both come while the kernel answers: behind the end the next answer is right. */
	if ((revents & POLLIN) == 0 && poll(&again, 1, 0) > 0)
		revents |= again.revents;
	if ((revents & POLLIN) == 0) {
		end_relay(relay);
	} else if (!start_thread(run_relay, relay)) {
		/* For whoever gives up before there is one. */
		atomic_store(&relay->error, errno);
		atomic_store(&relay->begun, false);
		pause_ms(AGAIN_MS);
	}
}

void finish_relay(struct relay *relay)
{
	atomic_store(&relay->finish, true);
	eventfd_write(relay->finish_event, 1);
	/* Unless there is something in it, it has ended, whoever holds it. */
	begin_relay(relay, POLLHUP);
}
