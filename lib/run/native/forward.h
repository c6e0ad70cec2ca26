/* Owns the published ports of a run: their sockets on the host, and the process that connects them with the sandbox. */
#ifndef FORWARD_H
#define FORWARD_H

#include <stdbool.h>
#include <sys/types.h>

#include "child.h"
#include "options.h"

struct forwarder {
	int listeners[MOST_PORTS];
	size_t count;
	pid_t pid; /* 0: not started */
};

/* Listens at every port of --publish. False, and said why, when one cannot be had; none is left open then. */
bool open_listeners(const struct options *options, struct forwarder *forwarder);

/* Closes what is open of them. */
void close_listeners(struct forwarder *forwarder);

/*
 * Starts the process that waits for the program of `runtime`, joins the sandbox's network namespace and passes bytes on until it
 * is ended, or we die. To be called before there are threads; our own descriptors of the listeners are closed. False, and said why.
 */
bool start_forwarder(const struct options *options, const struct child *runtime, struct forwarder *forwarder);

/* Ends it: the ports are free when this returns. */
void end_forwarder(struct forwarder *forwarder);

#endif
