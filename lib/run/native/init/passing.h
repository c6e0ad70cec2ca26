/* Owns one connection of a forward: two sockets, and what could not be written yet. */
#ifndef PASSING_H
#define PASSING_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

/* One direction. While `rest` holds something, nothing more is read for it. */
struct flow {
	char *rest;
	size_t length;
	size_t done;
	bool ended; /* its end was read and passed on */
};

struct pair {
	int client;
	int server;
	struct flow out; /* client to server */
	struct flow in;
};

void open_pair(struct pair *pair, int client, int server);

/* What is waited for, at the client and at the server. A descriptor without wishes is not watched, or its hang-up would wake us for ever. */
void watch_pair(const struct pair *pair, struct pollfd polled[2]);

/* Passes on what has come; false when the connection is over, and both sockets are closed. */
bool pass_on(struct pair *pair, const struct pollfd polled[2]);

/* Closes a TCP socket so that its other end sees an error, not an end. */
void reset(int fd);

#endif
