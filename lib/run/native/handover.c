/* Owns the steps from the runtime's hand to ours. At each of them init dies with whoever holds it. */
#include "handover.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "children.h"
#include "hearing.h"
#include "init/hand.h"
#include "initof.h"
#include "kernel.h"

#define LIFE_MS 1000 /* of a sandbox before its runtime goes: shorter runs pay nothing for this */
#define STEP_MS 1    /* from a signal to its effect */
#define LOOK_MS 1000 /* of what is paused, or still being set up */
#define QUICK_LOOKS 20
#define MOST_LOOKS 100 /* for a sandbox to be made */

struct handover plan_handover(const struct options *options)
{
	struct handover handover = { .look_at = NEVER };

	if (options->let_go && !options->terminal && options->publication_count == 0)
		handover.look_at = monotonic_ms() + LIFE_MS;
	return handover;
}

/* What is listed as the runtime's child after its descriptor was opened is what the descriptor stands for: the runtime makes no other. */
static bool find(struct handover *handover, struct child *child)
{
	const pid_t init = find_first_child(child->pid);
	int pidfd;

	if (init == 0 || !is_init(init) || !catches_signal(init, SIGTERM))
		return false;
	pidfd = open_pidfd(init);
	if (pidfd >= 0 && find_first_child(child->pid) == init) {
		child->init = pidfd;
		handover->init = init;
		return true;
	}
	if (pidfd >= 0)
		close(pidfd);
	return false;
}

static bool is_stopped(pid_t pid)
{
	siginfo_t found = { .si_pid = 0 };

	return waitid(P_PID, (id_t)pid, &found, WSTOPPED | WNOHANG | WNOWAIT) == 0 && found.si_pid == pid;
}

/*
 * Only a runtime that stands still is ended, and only while init is its child, dead or alive: what it has reaped, we would never learn the
 * status of.
 */
static bool let_go(const struct handover *handover, struct child *child)
{
	if (find_first_child(child->pid) == handover->init && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 &&
	    signal_pidfd(child->pidfd, SIGKILL) == 0)
		return true;
	signal_pidfd(child->pidfd, SIGCONT);
	child->leaving = false;
	return false;
}

static bool are_open(const struct relay *relays)
{
	return !atomic_load(&relays[0].ended) && !atomic_load(&relays[1].ended);
}

/* One step soon brings the next. */
static void take(struct handover *handover, enum hand hand)
{
	handover->hand = hand;
	handover->looks = 0;
	handover->look_at = monotonic_ms() + STEP_MS;
}

void step_handover(struct handover *handover, struct child *child, const struct relay *relays, bool stopping)
{
	const int64_t now = monotonic_ms();

	if (now < handover->look_at)
		return;
	if (stopping && !child->leaving) {
		handover->look_at = NEVER;
		return;
	}
	handover->look_at = now + (handover->looks++ < QUICK_LOOKS ? STEP_MS : LOOK_MS);
	switch (handover->hand) {
	case RUNTIMES:
		if (!are_open(relays) || handover->looks > MOST_LOOKS)
			handover->look_at = NEVER;
		else if (find(handover, child) && signal_pidfd(child->init, HAND_SIGNAL) == 0)
			take(handover, TOLD);
		break;
	case TOLD:
		/* By its handler init says that the runtime's end does not end it. */
		if (!catches_signal(handover->init, HAND_SIGNAL) || signal_pidfd(child->pidfd, SIGSTOP) != 0)
			break;
		child->leaving = true;
		take(handover, STOPPED);
		break;
	case STOPPED:
		if (!is_stopped(child->pid))
			break;
		handover->look_at = NEVER;
		if (let_go(handover, child))
			handover->hand = LEFT;
		break;
	case LEFT:
	case OURS:
		handover->look_at = NEVER;
		break;
	}
}

bool reap_child(struct handover *handover, struct child *child, int *status)
{
	const bool was_let_go = handover->hand == LEFT;

	/* First its process group: while it is a zombie, nobody else can be given the number. */
	if (!was_let_go)
		kill(-child->pid, SIGKILL);
	if (waitpid(child->pid, status, WNOHANG) != child->pid)
		return false;
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	if (!was_let_go || !WIFSIGNALED(*status)) {
		/* To whom its runtime's end is no end yet. */
		if (child->init >= 0)
			signal_pidfd(child->init, SIGKILL);
		return true;
	}
	close(child->pidfd);
	*child = (struct child){ .pid = handover->init, .pidfd = child->init, .report = child->report, .init = -1, .is_init = true };
	handover->hand = OURS;
	return false;
}
