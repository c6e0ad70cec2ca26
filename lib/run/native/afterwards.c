/* Owns what we become when a run has ended: all of it is recorded and gone by then, so a kill now loses nothing. */
#include "afterwards.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "say.h"

void become_afterwards(const struct options *options)
{
	char *const words[] = { (char *)"sh", (char *)options->afterwards, NULL };
	char *const environment[] = { (char *)STANDARD_PATH, NULL };
	sigset_t none;

	if (options->afterwards == NULL)
		return;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve("/bin/sh", words, environment);
	say("cannot execute %s: %s", options->afterwards, why(errno));
}
