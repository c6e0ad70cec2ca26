/*
 * Owns passing on what attached callers type. A fifo that we hold open for writing, too, never ends, so callers come and go; that a
 * write of at most PIPE_BUF is whole keeps what several of them send apart. Their output is the log.
 */
#include "typed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "relay.h"
#include "say.h"
#include "thread.h"

#define HEAD 3

struct ends {
	int typed;
	int to;
	int terminal;
};

bool open_typed(const struct options *options, int *typed)
{
	*typed = -1;
	if (options->typed == NULL)
		return true;
	if (mkfifo(options->typed, 0600) == 0)
		*typed = open(options->typed, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (*typed >= 0)
		return true;
	say("cannot make %s: %s", options->typed, why(errno));
	return false;
}

static bool read_all(int from, unsigned char *bytes, size_t size)
{
	while (size > 0) {
		const ssize_t got = read(from, bytes, size);

		if (got <= 0 && errno != EINTR)
			return false;
		if (got > 0) {
			bytes += got;
			size -= (size_t)got;
		}
	}
	return true;
}

static uint16_t number_at(const unsigned char *bytes)
{
	return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void take_size(int terminal, const unsigned char *bytes, size_t size)
{
	struct winsize window = { 0 };

	if (size != 4)
		return;
	window.ws_row = number_at(bytes);
	window.ws_col = number_at(bytes + 2);
	if (window.ws_row > 0 && window.ws_col > 0)
		ioctl(terminal, TIOCSWINSZ, &window);
}

static void stop_taking(struct ends *ends)
{
	if (ends->to >= 0)
		close(ends->to);
	ends->to = -1;
}

static void *run_typed(void *argument)
{
	static unsigned char frame[HEAD + UINT16_MAX];
	struct ends *ends = argument;

	while (read_all(ends->typed, frame, HEAD)) {
		const size_t size = number_at(frame + 1);

		if (!read_all(ends->typed, frame + HEAD, size))
			break;
		if (frame[0] == 'w')
			take_size(ends->terminal, frame + HEAD, size);
		/* The end of a caller's input is not that of a terminal, which others use. */
		else if (frame[0] == 'e' && ends->terminal < 0)
			stop_taking(ends);
		else if (frame[0] == 'd' && ends->to >= 0 && write_all(ends->to, frame + HEAD, size) != 0)
			stop_taking(ends);
	}
	return NULL;
}

bool start_typed(int typed, int to, int terminal)
{
	static struct ends ends;

	ends = (struct ends){ .typed = typed, .to = to, .terminal = terminal };
	return start_thread(run_typed, &ends);
}
