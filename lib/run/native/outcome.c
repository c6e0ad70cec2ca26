/* Owns the judgement: which of several true things about an ended run is the one that is reported. */
#include "outcome.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "events.h"
#include "launchlog.h"
#include "say.h"

static int program_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

/* The engine reports the program's signal as 128+n, so n is all that we can see; a program may also exit with that. */
static bool is_signal_status(int status)
{
	return status > 128 && status <= 128 + SIGRTMAX;
}

static bool judge_output(const struct ending *ending)
{
	static const char *const names[2] = { "stdout", "stderr" };
	bool lost = false;

	for (int i = 0; i < 2; i++) {
		if (ending->output_error[i] == 0)
			continue;
		say("the program's %s could not be written: %s", names[i], why(ending->output_error[i]));
		lost = true;
	}
	return lost;
}

static enum reason judge_end(const struct options *options, const struct ending *ending, int status)
{
	if (!ending->started)
		return LAUNCH;
	/* Ours before the program's: what it did after we told it to stop is not its result. */
	if (ending->cause != EXITED)
		return ending->cause;
	/* Whoever was killed: what is left of such a run is not its result. On v1 its other processes may even have ended well. */
	if (options->oom_file != NULL && count_oom_kills(options->oom_file) > 0)
		return OOM;
	/* An engine that failed says so in its log; one that succeeded may still complain there about its own clean-up. */
	if (status != 0 && options->log != NULL && say_launch_error(options->log, options->enter ? "enter" : "start"))
		return LAUNCH;
	if (judge_output(ending))
		return OUTPUT;
	return is_signal_status(status) ? SIGNALLED : EXITED;
}

void judge(const struct options *options, const struct ending *ending, struct outcome *outcome)
{
	const int status = program_status(ending->wait_status);

	outcome->reason = judge_end(options, ending, status);
	outcome->pids_hit = options->pids_file != NULL && count_refused_forks(options->pids_file) > 0;
	switch (outcome->reason) {
	case EXITED:
	case SIGNALLED:
		outcome->status = status;
		break;
	case TIMEOUT:
	case IDLE:
		outcome->status = 124;
		break;
	case OOM:
		outcome->status = 128 + SIGKILL;
		break;
	case CANCELLED:
		outcome->status = 128 + ending->signal;
		break;
	case LAUNCH:
	case OUTPUT:
	case RECORD:
		outcome->status = STATUS_OURS;
		break;
	}
}

const char *reason_word(enum reason reason)
{
	static const char *const words[] = {
		[EXITED] = "exited", [SIGNALLED] = "signal",	[TIMEOUT] = "timeout", [IDLE] = "idle",
		[OOM] = "oom",	     [CANCELLED] = "cancelled", [LAUNCH] = "launch",   [OUTPUT] = "output",
		[RECORD] = "record",
	};

	return words[reason];
}

void tell_person(const struct options *options, const struct outcome *outcome)
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
