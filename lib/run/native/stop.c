/* Owns ending a program that runs: TERM until it can be heard, and KILL. */
#include "stop.h"

#include <signal.h>
#include <stddef.h>

#include "cgroup.h"
#include "clock.h"
#include "hearing.h"
#include "kernel.h"

#define REPEAT_MS 20 /* between looks whether a sandbox that is being set up can hear us */

/* Asked first: what hears it gets it once. Else it is sent until it is heard, or the grace is over. */
static void send_term(struct stop *stop, const struct child *child, int64_t now)
{
	const bool heard = hears_term(child);

	if (heard || stop->repeat_at == NEVER)
		signal_pidfd(child->pidfd, SIGTERM);
	stop->repeat_at = heard ? NEVER : now + REPEAT_MS;
}

void begin_stop(struct stop *stop, const struct options *options, const struct child *child)
{
	stop->begun = monotonic_ms();
	stop->kill_at = stop->begun + (int64_t)options->grace_ms;
	send_term(stop, child, stop->begun);
	thaw_cgroups(options);
}

void repeat_stop(struct stop *stop, const struct child *child, int64_t now)
{
	if (now >= stop->repeat_at)
		send_term(stop, child, now);
}

void kill_child(struct stop *stop, const struct options *options, const struct child *child)
{
	signal_pidfd(child->pidfd, SIGKILL);
	if (child->init >= 0)
		signal_pidfd(child->init, SIGKILL);
	/* Its process group: not reaped yet, so the number is still its own. */
	kill(-child->pid, SIGKILL);
	thaw_cgroups(options);
	stop->kill_at = NEVER;
	stop->repeat_at = NEVER;
	stop->abandon_at = earlier(stop->abandon_at, monotonic_ms() + KILL_LIMIT_MS);
}

int64_t find_next_step(const struct stop *stop)
{
	return earlier(earlier(stop->repeat_at, stop->kill_at), stop->abandon_at);
}
