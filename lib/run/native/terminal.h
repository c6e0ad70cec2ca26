/* Owns a guest's terminal: a pty of the sandbox whose other end we hold, and the caller's terminal, which never goes inside. */
#ifndef TERMINAL_H
#define TERMINAL_H

#include <stdbool.h>

#include "options.h"

struct terminal {
	int listener; /* socket over which the runtime hands the pty out; -1: none is asked for */
	int master;   /* our end of the pty; -1: not yet */
	int resized;  /* readable when the caller's terminal has another size; -1: nobody tells */
	int changed;  /* the caller's terminal, while it has another mode; -1: it has its own */
};

#define NO_TERMINAL ((struct terminal){ .listener = -1, .master = -1, .resized = -1, .changed = -1 })

/* Whether the terminal is used through the caller's: that of a sandbox that lives on goes to its log. */
bool uses_caller(const struct options *options);

/* Descriptor of the caller's terminal whose mode is changed. */
int terminal_of_caller(const struct options *options);

/*
 * With --terminal: listens at RUN-DIR/tty. False, and said why, when there is no socket, or the caller has no terminal; with
 * --output-log there is no caller.
 */
bool open_terminal(const struct options *options, struct terminal *terminal);

/*
 * Waits for the pty, but not beyond the end of `child` (a pidfd); then gives it the size of the caller's terminal, whose mode is
 * changed, or --size. False when none came: the runtime's log says why.
 */
bool receive_terminal(const struct options *options, struct terminal *terminal, int child);

/* Passes the size on, after `resized` was readable. */
void resize_terminal(const struct options *options, struct terminal *terminal);

/* Gives the caller's terminal its mode back. */
void restore_terminal(struct terminal *terminal);

#endif
