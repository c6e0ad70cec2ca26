/* Owns the order of one run's life: prepare, start, watch, record, clean up. docs/decisions/0002-native-supervisor.md */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "activity.h"
#include "afterwards.h"
#include "cgroup.h"
#include "events.h"
#include "child.h"
#include "clock.h"
#include "forward.h"
#include "guardian.h"
#include "hold.h"
#include "idmap.h"
#include "inputs.h"
#include "options.h"
#include "outcome.h"
#include "outputlog.h"
#include "places.h"
#include "record.h"
#include "relay.h"
#include "rest.h"
#include "say.h"
#include "sealed.h"
#include "signals.h"
#include "slots.h"
#include "streams.h"
#include "terminal.h"
#include "tree.h"
#include "typed.h"
#include "watch.h"
#include "way.h"

/* TERM when the caller dies. It may have died before we asked: then we have another parent already. */
static bool has_parent(const struct options *options)
{
	/* The record stands: whoever looks for the starter, and then for the record, finds one of them while the run lives. */
	if (options->starter != 0 && getppid() != options->starter)
		return false;
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
		relays[i].logged_as = options->output_log == NULL ? 0 : i == 0 ? 'o' : 'e';
		relays[i].most = bounds[i];
		relays[i].wake = wake;
		relays[i].finish_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (relays[i].finish_event < 0)
			return false;
	}
	return true;
}

/* Only of a sandbox that lives on without its caller. */
static bool prepare_logs(const struct options *options, struct watch *watch)
{
	return open_typed(options, &watch->typed) &&
	       (options->output_log == NULL || open_output_log(options->output_log)) &&
	       (options->activity == NULL || make_activity(options->activity));
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

/* With a terminal all of the guest's streams are that one; what comes on stderr is then the runtime's own. */
static void use_terminal(const struct options *options, struct watch *watch, struct streams *streams)
{
	if (!options->terminal || !receive_terminal(options, watch->terminal, watch->child.pidfd))
		return;
	watch->relays[0].from = watch->terminal->master;
	if (options->pass_stdin)
		streams->in[0] = fcntl(watch->terminal->master, F_DUPFD_CLOEXEC, 3);
}

/* After the fork: a child of a process with threads could inherit a lock that nobody releases. */
static bool ready_relays(const struct options *options, const struct streams *streams, struct watch *watch)
{
	const int to = options->pass_stdin ? streams->in[0] : -1;

	for (int i = 0; i < 2; i++)
		atomic_store(&watch->relays[i].active_ms, monotonic_ms());
	watch->input = watch->typed >= 0 ? -1 : to;
	if (watch->typed < 0 || start_typed(watch->typed, to, watch->terminal->master))
		return true;
	say("cannot start a thread: %s", why(errno));
	return false;
}

/* What of ours lives beside a run, and ends with it. */
struct companions {
	struct guardian guardian;
	struct forwarder forwarder;
	int held; /* what tells that the sandbox lives; -1: nothing */
};

/* Fills what happened. An `ending` that never started is a failed launch, and somebody has said why. */
static void run(const struct options *options, const struct exec *exec, struct watch *watch, struct companions *companions,
		struct ending *ending, struct outcome *outcome)
{
	struct streams streams;

	/* A group in use belongs to somebody else: then nothing of the run is started, killed or removed. */
	outcome->gone = check_cgroups(options);
	if (!outcome->gone || !prepare_logs(options, watch) || !open_terminal(options, watch->terminal) ||
	    !start_guardian(options, &companions->guardian) || !take_hold(options, &companions->held) ||
	    !prepare(options, watch, &streams))
		return;
	outcome->start_ms = wall_ms();
	if (!start_child(options, exec, &streams, &watch->child))
		return;
	ending->started = true;
	use_terminal(options, watch, &streams);
	if (!start_forwarder(options, &watch->child, &companions->forwarder) ||
	    !ready_relays(options, &streams, watch)) {
		kill(watch->child.pid, SIGKILL);
		ending->started = false;
	}
	outcome->gone = watch_child(watch, ending);
	end_forwarder(&companions->forwarder);
	end_hold(&companions->held);
	for (int i = 0; i < 2; i++) {
		const struct relay *relay = &watch->relays[i];

		outcome->produced[i] = atomic_load(&relay->produced);
		/* What a relay still holds when we stop waiting for it does not reach the caller. */
		outcome->truncated[i] = atomic_load(&relay->truncated) || atomic_load(&relay->dropped) ||
					!atomic_load(&relay->ended);
		ending->output_error[i] = atomic_load(&relay->error);
	}
}

/*
 * The slots go last: they lend host uids and lead "sandbox gc" to what is left, so they stay while anything is.
 * No process is started for any of this: it works when the host has no pid to spare.
 */
static void clean_up(const struct options *options, const struct ending *ending, const struct outcome *outcome)
{
	const bool ended_itself = leaves_rest(options, ending);
	const bool leaves = ended_itself && outcome->reason != LAUNCH;
	bool clean = outcome->gone;

	/* A program that never began has left nothing: what still ends in its groups is the runtime's. */
	if (ended_itself && !leaves)
		clean = empty_cgroups(options);
	clean = clean && (leaves || remove_cgroups(options));

	if (leaves)
		leave_rest(options);
	if (clean && options->run_dir != NULL)
		clean = remove_tree(options->run_dir);
	if (!clean) {
		say("run %s was not cleaned up\n  sandbox gc", options->id);
		return;
	}
	free_slots(options);
}

/* What takes time runs side by side: the tools that map ids, and all that is made meanwhile. */
static bool make_ready(struct options *options, const struct ending *ending, const struct outcome *outcome,
		       struct forwarder *forwarder, struct exec *exec)
{
	struct id_map map = { .space = -1 };
	const bool started = start_id_map(options, &map);
	/* Takes back what it made when it fails; what was there before is somebody else's. */
	const bool made = started && make_places(options);
	bool ready = made && open_listeners(options, forwarder) && admit_users(options);

	*exec = (struct exec){ .file = made && options->seal ? seal_program(options->program[0]) : -1 };
	if (!made) {
		drop_id_map(&map);
		free_slots(options);
	} else if (!finish_id_map(options, &map) || !ready) {
		ready = false;
		drop_id_map(&map);
		clean_up(options, ending, outcome);
	}
	exec->user_space = map.space;
	return ready;
}

int main(int argc, char **argv)
{
	static struct relay relays[2];
	struct options options;
	struct ending ending = { .started = false, .cause = EXITED };
	struct outcome outcome = { .gone = true, .start_ms = wall_ms() };
	struct terminal terminal = NO_TERMINAL;
	struct companions companions = { .guardian.end = -1, .held = -1 };
	struct watch watch = { .options = &options, .relays = relays, .input = -1, .terminal = &terminal };
	struct exec exec;
	int record;

	if (!guard_streams() || !parse_options(argc, argv, &options))
		return STATUS_OURS;
	if (!inputs_hold(&options)) {
		start_over(&options);
		return STATUS_OURS;
	}
	watch.signals = take_signals();
	if (watch.signals < 0)
		say("cannot take signals: %s", why(errno));
	if (!make_ready(&options, &ending, &outcome, &companions.forwarder, &exec))
		return STATUS_OURS;
	record = open_record(&options);
	if (watch.signals >= 0 && record != -2) {
		if (has_parent(&options))
			run(&options, &exec, &watch, &companions, &ending, &outcome);
		else
			ending = (struct ending){ .started = true, .cause = CANCELLED, .signal = SIGTERM };
	}
	restore_terminal(&terminal);
	outcome.end_ms = wall_ms();
	judge(&options, &ending, &outcome);
	/* Before cleaning up: leftovers can be found again after a SIGKILL of ours, a result cannot. */
	if (!write_record(&options, &outcome, record)) {
		outcome.status = STATUS_OURS;
		outcome.reason = RECORD;
	}
	send_result(&options, &outcome);
	clean_up(&options, &ending, &outcome);
	dismiss_guardian(&companions.guardian);
	tell_person(&options, &outcome);
	become_afterwards(&options);
	_exit(outcome.status);
}
