/*
 * Owns letting go of the runtime while its sandbox lives on: all that it would do is wait, and it holds a process and its memory
 * for that. docs/decisions/0042-no-runtime-waits.md
 */
#ifndef HANDOVER_H
#define HANDOVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "child.h"
#include "clock.h"
#include "options.h"
#include "relay.h"

enum hand { RUNTIMES, TOLD, STOPPED, LEFT, OURS };

struct handover {
	int64_t look_at; /* when the next step is due */
	unsigned int looks;
	enum hand hand;
	pid_t init;
};

/* Whether and when the runtime may go: never one that is no crun of ours, or beside a terminal or published ports. */
struct handover plan_handover(const struct options *options);

/*
 * The next step, when it is due. Nothing begins once the guest's output is closed, by which init would see our death; and from a stop on
 * the runtime stays unless it is leaving already: it may have to pass on a TERM.
 */
void step_handover(struct handover *handover, struct child *child, const struct relay *relays, bool stopping);

/*
 * Reaps the child that has ended, with what is left of its process group. True: so has the sandbox, as `status` says. False: it was
 * the runtime that we let go, and init is the child now.
 */
bool reap_child(struct handover *handover, struct child *child, int *status);

#endif
