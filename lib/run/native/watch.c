/* Owns the main loop. It never blocks on the caller's descriptors, so that a deadline holds whatever the caller does. */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "activity.h"
#include "cgroup.h"
#include "clock.h"
#include "events.h"
#include "feed.h"
#include "handover.h"
#include "kernel.h"
#include "rest.h"
#include "say.h"
#include "signals.h"
#include "stop.h"

#define DRAIN_MS 200        /* for output of a program that has ended, while something outside its groups holds the pipe */
#define SAME_SIGNAL_MS 100  /* a terminal signals us and our caller, and the caller passes it on: one wish, not two */
#define OOM_LOOK_MS 5      /* between looks for a kill that was announced */
#define OOM_LIMIT_MS 1000  /* for the kernel to do what it announced */
#define DELIVER_MS 1000     /* for a caller to take the output of a run that was stopped */

struct state {
	int64_t started;
	struct stop stop;
	struct handover handover;
	int64_t look_at;    /* for kills of the OOM killer, and until when */
	int64_t look_until;
	int64_t active;     /* when somebody last worked in it from outside, as far as we looked */
	struct activity activity;
	struct ending *ending;
};

/* When the run must have ended by its own limits; `cause` says which comes first. */
static int64_t find_deadline(const struct watch *watch, const struct state *state, enum reason *cause)
{
	const struct options *options = watch->options;
	int64_t wall = NEVER;
	int64_t idle = NEVER;

	if (options->timeout_ms > 0)
		wall = state->started + (int64_t)options->timeout_ms;
	if (options->idle_ms > 0) {
		const int64_t out = atomic_load(&watch->relays[0].active_ms);
		const int64_t err = atomic_load(&watch->relays[1].active_ms);
		const int64_t last = out > err ? out : err;
		idle = (last > state->active ? last : state->active) + (int64_t)options->idle_ms;
	}
	*cause = wall <= idle ? TIMEOUT : IDLE;
	return earlier(wall, idle);
}

/* Looked at only when the run would be idle otherwise. */
static bool was_active(const struct watch *watch, struct state *state, enum reason cause, int64_t now)
{
	const struct options *options = watch->options;

	if (cause != IDLE || options->activity == NULL)
		return false;
	state->active = find_activity(options->activity, &state->activity);
	return state->active + (int64_t)options->idle_ms > now;
}

static void stop_child(struct watch *watch, struct state *state, enum reason cause, int signal)
{
	state->ending->cause = cause;
	state->ending->signal = signal;
	begin_stop(&state->stop, watch->options, &watch->child);
}

/* v2 ends the whole group (memory.oom.group); on v1 the rest of the run is ours to end. */
static void look_for_oom(struct watch *watch, struct state *state)
{
	const int64_t now = monotonic_ms();

	if (count_oom_kills(watch->options->oom_file) > 0 && state->ending->cause == EXITED) {
		state->ending->cause = OOM;
		state->look_at = NEVER;
		kill_child(&state->stop, watch->options, &watch->child);
		return;
	}
	state->look_at = now < state->look_until && state->ending->cause == EXITED ? now + OOM_LOOK_MS : NEVER;
}

static void take_oom_event(struct watch *watch, struct state *state)
{
	note_oom_event(watch->oom);
	state->look_until = monotonic_ms() + OOM_LIMIT_MS;
	look_for_oom(watch, state);
}

static void take_all_signals(struct watch *watch, struct state *state)
{
	int signal;

	while ((signal = take_signal(watch->signals)) != 0) {
		if (state->ending->cause == EXITED)
			stop_child(watch, state, CANCELLED, signal);
		else if (state->ending->cause != CANCELLED || monotonic_ms() - state->stop.begun > SAME_SIGNAL_MS)
			kill_child(&state->stop, watch->options, &watch->child);
	}
}

/* What has been silent so far has no thread yet. */
static void begin_streams(struct watch *watch, struct state *state, const struct pollfd *fds)
{
	begin_relay(&watch->relays[0], fds[0].revents);
	begin_relay(&watch->relays[1], fds[1].revents);
	if (watch->input < 0 || fds[2].revents == 0)
		return;
	if (!start_input(watch->input)) {
		say("cannot start a thread: %s", why(errno));
		state->ending->started = false;
		kill_child(&state->stop, watch->options, &watch->child);
	}
	watch->input = -1;
}

/* Until the child is reaped. False when the kernel could not end it. */
static bool wait_child(struct watch *watch, struct state *state)
{
	struct ending *ending = state->ending;
	enum reason cause;

	for (;;) {
		struct pollfd fds[9] = {
			{ .fd = watch->child.pidfd, .events = POLLIN },
			{ .fd = watch->signals, .events = POLLIN },
			{ .fd = watch->child.report, .events = POLLIN },
			{ .fd = watch->oom, .events = watch->oom_events },
			{ .fd = watch->terminal->resized, .events = POLLIN },
			await_relay(&watch->relays[0]),
			await_relay(&watch->relays[1]),
			{ .fd = watch->input < 0 ? -1 : STDIN_FILENO, .events = POLLIN },
			{ .fd = watch->wake, .events = POLLIN },
		};
		const int64_t deadline = find_deadline(watch, state, &cause);
		const int64_t now = monotonic_ms();

		if (ending->cause == EXITED && now >= deadline && !was_active(watch, state, cause, now))
			stop_child(watch, state, cause, 0);
		step_handover(&state->handover, &watch->child, watch->relays, state->stop.begun != 0);
		repeat_stop(&state->stop, &watch->child, now);
		if (now >= state->stop.kill_at)
			kill_child(&state->stop, watch->options, &watch->child);
		if (now >= state->stop.abandon_at)
			return false;
		if (now >= state->look_at)
			look_for_oom(watch, state);
		const int64_t ours = find_next_step(&state->stop);
		const int64_t due = earlier(state->look_at, state->handover.look_at);
		eventfd_t ignored;

		if (poll_until(fds, 9, earlier(ending->cause == EXITED ? deadline : ours, due)) <= 0)
			continue;
		if (fds[1].revents != 0)
			take_all_signals(watch, state);
		if (fds[2].revents != 0 && !take_report(watch->options, &watch->child))
			ending->started = false;
		if (fds[3].revents != 0)
			take_oom_event(watch, state);
		if (fds[4].revents != 0)
			resize_terminal(watch->options, watch->terminal);
		begin_streams(watch, state, fds + 5);
		if (fds[8].revents != 0)
			eventfd_read(watch->wake, &ignored);
		if (fds[0].revents != 0 && reap_child(&state->handover, &watch->child, &ending->wait_status))
			return true;
	}
}

static bool has_ended(const struct watch *watch)
{
	return atomic_load(&watch->relays[0].ended) && atomic_load(&watch->relays[1].ended);
}

/*
 * Until the relays have passed everything on. A caller who does not read holds us as it would hold any program, but
 * not past the run's limits, and a second after a stop at most.
 */
static void drain_output(struct watch *watch, struct state *state)
{
	const int64_t start = monotonic_ms();
	int64_t finish_at = start + DRAIN_MS;
	enum reason cause;
	int signal;

	while (!has_ended(watch)) {
		struct pollfd fds[4] = {
			{ .fd = watch->wake, .events = POLLIN },
			{ .fd = watch->signals, .events = POLLIN },
			await_relay(&watch->relays[0]),
			await_relay(&watch->relays[1]),
		};
		const bool stopped = state->ending->cause != EXITED;
		const int64_t limit = stopped ? start : find_deadline(watch, state, &cause);
		const int64_t deliver = start + DELIVER_MS;
		const int64_t give_up = limit > deliver ? limit : deliver;
		const int64_t now = monotonic_ms();
		eventfd_t ignored;

		if (now >= give_up) {
			if (!stopped)
				state->ending->cause = cause;
			return;
		}
		if (now >= finish_at) {
			finish_relay(&watch->relays[0]);
			finish_relay(&watch->relays[1]);
			finish_at = NEVER;
		}
		if (poll_until(fds, 4, earlier(finish_at, give_up)) <= 0)
			continue;
		begin_relay(&watch->relays[0], fds[2].revents);
		begin_relay(&watch->relays[1], fds[3].revents);
		if (fds[0].revents != 0)
			eventfd_read(watch->wake, &ignored);
		if (fds[1].revents != 0 && (signal = take_signal(watch->signals)) != 0) {
			if (!stopped) {
				state->ending->cause = CANCELLED;
				state->ending->signal = signal;
			}
			return;
		}
	}
}

bool watch_child(struct watch *watch, struct ending *ending)
{
	struct state state = {
		.started = monotonic_ms(), .stop = NO_STOP, .look_at = NEVER, .ending = ending,
		.handover = plan_handover(watch->options),
	};
	bool gone = wait_child(watch, &state);

	/* Only now: what is left was not ended by PDEATHSIG and the pid namespace. Its end also ends the pipes. */
	if (!leaves_rest(watch->options, ending))
		gone &= empty_cgroups(watch->options);
	drain_output(watch, &state);
	return gone;
}
