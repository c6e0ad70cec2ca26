/* Owns the ways from a port of the sandbox's loopback to a unix socket: init's `-f PORT=PATH`. */
#ifndef FORWARD_H
#define FORWARD_H

#include <stdbool.h>
#include <stddef.h>

#define MOST_FORWARDS 8

struct forward {
	const char *path;
	int listener;
};

/* Reads `PORT=PATH` and listens on 127.0.0.1:PORT. Says on stderr what is wrong, and returns false. */
bool open_forward(const char *word, struct forward *out);

/* Passes on what connects, until it is killed. Keeps no descriptor but the listeners. */
_Noreturn void serve_forwards(const struct forward *forwards, size_t count);

#endif
