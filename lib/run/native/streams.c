/* Owns the descriptors 0 to 2: the guest gets pipes of ours, never the caller's terminal, file or device. */
#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

bool guard_streams(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The wrong direction on purpose: using it fails with EBADF, as using the closed one would. */
		if (open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
			return false;
	}
	return true;
}

static bool open_pipe(int ours_first[2], bool guest_writes)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) != 0)
		return false;
	ours_first[0] = ends[guest_writes ? 0 : 1];
	ours_first[1] = ends[guest_writes ? 1 : 0];
	/* Only our end: O_NONBLOCK belongs to an open file, and the two ends of a pipe are two. */
	return !guest_writes || fcntl(ours_first[0], F_SETFL, O_NONBLOCK) == 0;
}

bool open_streams(struct streams *streams, bool pass_stdin)
{
	if (!open_pipe(streams->in, false) || !open_pipe(streams->out, true) || !open_pipe(streams->err, true))
		return false;
	if (!pass_stdin) {
		close(streams->in[0]);
		streams->in[0] = -1;
	}
	return true;
}

void drop_stdin(void)
{
	const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0)
		return;
	dup2(null, STDIN_FILENO);
	close(null);
}
