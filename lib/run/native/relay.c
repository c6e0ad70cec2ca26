/* Owns the relays: a thread per stream that says anything, with blocking writes: a caller who does not read never stalls a deadline. */
#include "relay.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "outputlog.h"
#include "streams.h"
#include "utf8.h"

#define BUFFER (64 * 1024)
#define STACK (64 * 1024)
#define LONGEST_PART 3 /* of an unfinished UTF-8 sequence */

/* Static, not on the stack: the whole memory of a relay is known at link time. */
static unsigned char buffers[3][BUFFER];

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

/* Waits for bytes. False at the end of the drain. */
static bool wait_readable(struct relay *relay)
{
	struct pollfd fds[2] = {
		{ .fd = relay->from, .events = POLLIN },
		{ .fd = relay->finish_event, .events = POLLIN },
	};

	if (atomic_load(&relay->finish))
		return false;
	poll(fds, 2, -1);
	return true;
}

/*
 * Reads once, blocking. Returns 0 at the end: end of file, failure, or nothing more after `finish`. A terminal whose other side was
 * closed may say so (EIO) before it hands over what was written last: the kernel looks for input first, and for the end second.
 */
static size_t read_some(struct relay *relay, unsigned char *buffer, size_t room)
{
	for (bool closed = false;;) {
		const ssize_t got = read(relay->from, buffer, room);

		if (got > 0) {
			atomic_fetch_add(&relay->produced, (uint64_t)got);
			atomic_store(&relay->active_ms, monotonic_ms());
			return (size_t)got;
		}
		if (got < 0 && errno == EIO && !closed) {
			closed = true;
			continue;
		}
		if (got == 0 || (errno != EINTR && errno != EAGAIN))
			return 0;
		if (errno == EAGAIN && !wait_readable(relay))
			return 0;
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
static bool is_too_late(struct relay *relay, size_t got, uint64_t *late)
{
	if (!atomic_load(&relay->finish))
		return false;
	*late += got;
	/* A terminal has no size that could be asked for, and holds less than a buffer of ours. */
	const int size = fcntl(relay->from, F_GETPIPE_SZ);
	return *late > (uint64_t)(size < 0 ? BUFFER : size);
}

static void pass_output(struct relay *relay, unsigned char *buffer)
{
	uint64_t passed = 0;
	uint64_t late = 0;
	size_t held = 0;
	int error = 0;

	while (error == 0) {
		const size_t got = read_some(relay, buffer + held, BUFFER - held);

		if (is_too_late(relay, got, &late)) {
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
		const size_t out = passable(relay, buffer, size, passed);
		error = pass_on(relay, buffer, out);
		atomic_store(&relay->active_ms, monotonic_ms());
		passed += out;
		held = atomic_load(&relay->truncated) ? 0 : size - out;
		for (size_t i = 0; i < held; i++)
			buffer[i] = buffer[out + i];
	}
	/* A caller who left has chosen so; a full disk has not been chosen by anybody. */
	if (error != 0 && error != EPIPE && error != ECONNRESET && error != EBADF)
		atomic_store(&relay->error, error);
}

/* The guest's next write fails as it would have on the caller's own descriptor. */
static void end_relay(struct relay *relay)
{
	close(relay->from);
	atomic_store(&relay->ended, true);
	eventfd_write(relay->wake, 1);
}

static void *run_relay(void *argument)
{
	struct relay *relay = argument;

	pass_output(relay, buffers[relay->to == STDOUT_FILENO ? 0 : 1]);
	end_relay(relay);
	return NULL;
}

static void *run_input(void *argument)
{
	const int to = *(int *)argument;
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int error = 0;

	while (error == 0) {
		const ssize_t got = read(STDIN_FILENO, buffers[2], BUFFER);

		if (got > 0)
			error = write_all(to, buffers[2], (size_t)got);
		else if (got < 0 && errno == EAGAIN)
			poll(&in, 1, -1);
		else if (got == 0 || errno != EINTR)
			break;
	}
	close(to);
	if (error != 0)
		drop_stdin();
	return NULL;
}

bool start_thread(void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	pthread_t thread;

	if (pthread_attr_init(&attributes) != 0 || pthread_attr_setstacksize(&attributes, STACK) != 0 ||
	    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) != 0)
		return false;
	errno = pthread_create(&thread, &attributes, run, argument);
	return errno == 0;
}

struct pollfd await_relay(const struct relay *relay)
{
	return (struct pollfd){ .fd = relay->begun ? -1 : relay->from, .events = POLLIN };
}

void begin_relay(struct relay *relay, short revents)
{
	struct pollfd again = await_relay(relay);

	if (relay->begun || revents == 0)
		return;
	/* The last byte and the end may both come while the kernel answers: behind the end the next answer is right. */
	if ((revents & POLLIN) == 0 && poll(&again, 1, 0) > 0)
		revents |= again.revents;
	relay->begun = true;
	if ((revents & POLLIN) != 0 && start_thread(run_relay, relay))
		return;
	if ((revents & POLLIN) != 0)
		atomic_store(&relay->error, errno);
	end_relay(relay);
}

void finish_relay(struct relay *relay)
{
	atomic_store(&relay->finish, true);
	eventfd_write(relay->finish_event, 1);
	/* Unless there is something in it, it has ended, whoever holds it. */
	begin_relay(relay, POLLHUP);
}

bool start_input(int to)
{
	static int end;

	end = to;
	return start_thread(run_input, &end);
}
