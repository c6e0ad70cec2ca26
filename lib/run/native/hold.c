/* Owns telling the daemon of the way out that the sandbox lives. docs/decisions/0028-live-way-out.md */
#include "hold.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "say.h"

bool take_hold(const struct options *options, int *held)
{
	struct stat found;

	*held = -1;
	if (options->hold == NULL)
		return true;
	/* Without a reader it fails (fifo(7)): a sandbox whose way nobody watches does not begin. No child keeps it. */
	*held = open(options->hold, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (*held >= 0 && fstat(*held, &found) == 0 && S_ISFIFO(found.st_mode))
		return true;
	say("the way out of %s is closed already: %s", options->id, *held >= 0 ? "it is no fifo" : why(errno));
	end_hold(held);
	return false;
}

void end_hold(int *held)
{
	if (*held >= 0)
		close(*held);
	*held = -1;
}
