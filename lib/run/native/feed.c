/* Owns passing the caller's input in. */
#include "feed.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "relay.h"
#include "streams.h"
#include "thread.h"

/* Static, not on the stack: the whole memory of it is known at link time. */
static unsigned char buffer[64 * 1024];

static void *run_input(void *argument)
{
	const int to = *(int *)argument;
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	int error = 0;

	while (error == 0) {
		const ssize_t got = read(STDIN_FILENO, buffer, sizeof(buffer));

		if (got > 0)
			error = write_all(to, buffer, (size_t)got);
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

bool start_input(int to)
{
	static int end;

	end = to;
	return start_thread(run_input, &end);
}
