/* Owns passing bytes between connections to published ports and the sandbox: one loop, bounded, that looks into nothing. */
#include "pump.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "options.h"

#define MOST_CONNECTIONS 64 /* of one run at a time; more wait to be accepted */
#define CHUNK 16384

/* One direction of a connection. */
struct flow {
	char bytes[CHUNK];
	size_t from, to; /* what of `bytes` is still to be written */
	bool ended;      /* nothing more will come, and that has been passed on */
};

struct connection {
	bool used;
	int host, guest;
	struct flow in, out;
};

/* With a reset: what is left unsaid must not look like an orderly end. */
static void reset(int socket)
{
	const struct linger now = { .l_onoff = 1 };

	setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(socket);
}

static void drop(struct connection *connection)
{
	reset(connection->host);
	reset(connection->guest);
	connection->used = false;
}

static void begin(struct connection *connection, int listener, in_port_t inside)
{
	const struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = inside,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	const int host = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (host < 0)
		return;
	const int guest = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (guest < 0 || (connect(guest, (const struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)) {
		reset(host);
		if (guest >= 0)
			close(guest);
		return;
	}
	connection->used = true;
	connection->host = host;
	connection->guest = guest;
	connection->in.from = connection->in.to = connection->out.from = connection->out.to = 0;
	connection->in.ended = connection->out.ended = false;
}

static bool is_later(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* False when the connection is broken. Reads only into an empty buffer, so at the end of the input all has been written. */
static bool move(int from, int to, struct flow *flow)
{
	if (flow->from == flow->to && !flow->ended) {
		const ssize_t got = recv(from, flow->bytes, sizeof(flow->bytes), MSG_DONTWAIT);

		if (got < 0)
			return is_later();
		flow->from = 0;
		flow->to = (size_t)got;
		flow->ended = got == 0;
		if (flow->ended)
			return shutdown(to, SHUT_WR) == 0;
	}
	if (flow->from < flow->to) {
		const ssize_t put = send(to, flow->bytes + flow->from, flow->to - flow->from, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (put < 0)
			return is_later();
		flow->from += (size_t)put;
	}
	return true;
}

static void step(struct connection *connection)
{
	if (!move(connection->host, connection->guest, &connection->in) ||
	    !move(connection->guest, connection->host, &connection->out)) {
		drop(connection);
	} else if (connection->in.ended && connection->out.ended) {
		close(connection->host);
		close(connection->guest);
		connection->used = false;
	}
}

/* What `socket` is waited for: to read for `from`, to write for `to`. Not at all where that is nothing: its end would wake us for ever. */
static struct pollfd await(int socket, const struct flow *from, const struct flow *to)
{
	const bool reads = from->from == from->to && !from->ended;
	const bool writes = to->from < to->to;

	return (struct pollfd){
		.fd = reads || writes ? socket : -1,
		.events = (short)((reads ? POLLIN : 0) | (writes ? POLLOUT : 0)),
	};
}

_Noreturn void pump(const int *listeners, const in_port_t *inside, size_t count)
{
	static struct connection connections[MOST_CONNECTIONS];
	struct pollfd fds[MOST_PORTS + 2 * MOST_CONNECTIONS];

	for (;;) {
		struct connection *unused = NULL;

		for (size_t i = 0; i < MOST_CONNECTIONS; i++) {
			const struct connection *one = &connections[i];
			struct pollfd *own = &fds[count + 2 * i];

			if (!one->used)
				unused = &connections[i];
			own[0] = one->used ? await(one->host, &one->in, &one->out) : (struct pollfd){ .fd = -1 };
			own[1] = one->used ? await(one->guest, &one->out, &one->in) : (struct pollfd){ .fd = -1 };
		}
		for (size_t i = 0; i < count; i++)
			fds[i] = (struct pollfd){ .fd = unused == NULL ? -1 : listeners[i], .events = POLLIN };
		if (poll(fds, count + 2 * MOST_CONNECTIONS, -1) <= 0)
			continue;
		for (size_t i = 0; i < MOST_CONNECTIONS; i++)
			if (connections[i].used && (fds[count + 2 * i].revents | fds[count + 2 * i + 1].revents) != 0)
				step(&connections[i]);
		/* One at a time: the next round finds a free place, or none. */
		for (size_t i = 0; i < count && unused != NULL; i++)
			if (fds[i].revents != 0 && !unused->used)
				begin(unused, listeners[i], inside[i]);
	}
}
