/* Owns the order of one run's life: prepare, start, watch, record, clean up. docs/decisions/0002-native-supervisor.md */
#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "cgroup.h"
#include "events.h"
#include "child.h"
#include "clock.h"
#include "options.h"
#include "outcome.h"
#include "record.h"
#include "relay.h"
#include "say.h"
#include "signals.h"
#include "streams.h"
#include "tree.h"
#include "watch.h"

#define REMOVE_LIMIT_MS 2000

/* TERM when the caller dies. It may have died before we asked: then we have another parent already. */
static bool has_parent(const struct options *options)
{
	if (options->parent == 0)
		return true;
	return prctl(PR_SET_PDEATHSIG, SIGTERM) == 0 && getppid() == options->parent;
}

static bool prepare_relays(const struct options *options, const struct streams *streams, int wake, struct relay *relays)
{
	const int ours[2] = { streams->out[0], streams->err[0] };
	const uint64_t bounds[2] = { options->stdout_max, options->stderr_max };

	for (int i = 0; i < 2; i++) {
		relays[i].from = ours[i];
		relays[i].to = i == 0 ? STDOUT_FILENO : STDERR_FILENO;
		relays[i].most = bounds[i];
		relays[i].wake = wake;
		relays[i].finish_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (relays[i].finish_event < 0)
			return false;
	}
	return true;
}

static bool prepare(const struct options *options, struct watch *watch, struct streams *streams)
{
	watch->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	watch->oom = options->oom_file == NULL ? -1 : watch_oom_kills(options->oom_file, &watch->oom_events);
	if (watch->wake >= 0 && open_streams(streams, options->pass_stdin) &&
	    prepare_relays(options, streams, watch->wake, watch->relays))
		return true;
	say("cannot make a pipe: %s", why(errno));
	return false;
}

/* After the fork: a child of a process with threads could inherit a lock that nobody releases. */
static bool start_relays(const struct options *options, const struct streams *streams, struct relay *relays)
{
	const bool out = start_relay(&relays[0]);
	const bool err = start_relay(&relays[1]);

	if (out && err && (!options->pass_stdin || start_input(streams->in[0])))
		return true;
	say("cannot start a thread: %s", why(errno));
	return false;
}

/* Fills what happened. An `ending` that never started is a failed launch, and somebody has said why. */
static void run(const struct options *options, struct watch *watch, struct ending *ending, struct outcome *outcome)
{
	struct streams streams;

	/* A group in use belongs to somebody else: then nothing of the run is started, killed or removed. */
	outcome->gone = check_cgroups(options);
	if (!outcome->gone || !prepare(options, watch, &streams))
		return;
	outcome->start_ms = wall_ms();
	if (!start_child(options, &streams, &watch->child))
		return;
	ending->started = true;
	if (!start_relays(options, &streams, watch->relays)) {
		kill(watch->child.pid, SIGKILL);
		ending->started = false;
	}
	outcome->gone = watch_child(watch, ending);
	for (int i = 0; i < 2; i++) {
		const struct relay *relay = &watch->relays[i];

		outcome->produced[i] = atomic_load(&relay->produced);
		/* What a relay still holds when we stop waiting for it does not reach the caller. */
		outcome->truncated[i] = atomic_load(&relay->truncated) || !atomic_load(&relay->ended);
		ending->output_error[i] = atomic_load(&relay->error);
	}
}

/*
 * The slots go last: they lend host uids and lead "sandbox gc" to what is left, so they stay while anything is.
 * No process is started for any of this: it works when the host has no pid to spare.
 */
static void clean_up(const struct options *options, const struct outcome *outcome)
{
	bool clean = outcome->gone && remove_cgroups(options, REMOVE_LIMIT_MS);

	if (clean && options->run_dir != NULL)
		clean = remove_tree(options->run_dir);
	if (!clean) {
		say("run %s was not cleaned up\n  sandbox gc", options->id);
		return;
	}
	for (size_t i = 0; i < options->slot_count; i++)
		if (unlink(options->slots[i]) != 0 && errno != ENOENT)
			say("cannot remove %s: %s", options->slots[i], why(errno));
}

/* The program owns stderr; only a person at a terminal is told. */
static void tell_person(const struct options *options, const struct outcome *outcome)
{
	const bool by_limit = outcome->reason == TIMEOUT || outcome->reason == IDLE || outcome->reason == OOM;
	const int64_t ms = outcome->reason == TIMEOUT ? (int64_t)options->timeout_ms : outcome->end_ms - outcome->start_ms;

	if (!by_limit || !isatty(STDERR_FILENO))
		return;
	if (ms % 1000 == 0)
		say("stopped after %lld s (%s)", (long long)ms / 1000, reason_word(outcome->reason));
	else
		say("stopped after %lld.%lld s (%s)", (long long)ms / 1000, (long long)ms / 100 % 10,
		    reason_word(outcome->reason));
}

int main(int argc, char **argv)
{
	static struct relay relays[2];
	struct options options;
	struct ending ending = { .started = false, .cause = EXITED };
	struct outcome outcome = { .gone = true, .start_ms = wall_ms() };
	struct watch watch = { .options = &options, .relays = relays };
	int record;

	if (!guard_streams() || !parse_options(argc, argv, &options))
		return STATUS_OURS;
	watch.signals = take_signals();
	if (watch.signals < 0)
		say("cannot take signals: %s", why(errno));
	record = open_record(&options);
	if (watch.signals >= 0 && record != -2) {
		if (has_parent(&options))
			run(&options, &watch, &ending, &outcome);
		else
			ending = (struct ending){ .started = true, .cause = CANCELLED, .signal = SIGTERM };
	}
	outcome.end_ms = wall_ms();
	judge(&options, &ending, &outcome);
	/* Before cleaning up: leftovers can be found again after a SIGKILL of ours, a result cannot. */
	if (!write_record(&options, &outcome, record)) {
		outcome.status = STATUS_OURS;
		outcome.reason = RECORD;
	}
	send_result(&options, &outcome);
	clean_up(&options, &outcome);
	tell_person(&options, &outcome);
	_exit(outcome.status);
}
