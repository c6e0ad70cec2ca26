/* Owns the time between start and end of a program: deadlines, signals, the drain of its output. */
#ifndef WATCH_H
#define WATCH_H

#include "child.h"
#include "options.h"
#include "outcome.h"
#include "relay.h"
#include "terminal.h"

struct watch {
	const struct options *options;
	struct child child;
	struct relay *relays; /* stdout, stderr */
	int input;            /* the guest's stdin, until there is something on ours; -1: none, or a thread has it */
	int signals;          /* signalfd of those that cancel */
	int oom;              /* tells that the OOM killer came, -1: nobody does */
	short oom_events;     /* of poll(2), for it */
	int wake;             /* eventfd that the relays write when they end */
	struct terminal *terminal;
	int typed;            /* what attached callers type, -1: there are none */
};

/* Waits for the child and its output, stopping it where a deadline or a signal says so. True: no process is left. */
bool watch_child(struct watch *watch, struct ending *ending);

#endif
