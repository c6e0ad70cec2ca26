/* Owns passing bytes between two sockets, both ways, each end of its own; what a slow reader leaves is kept, and no more is read. */
#include "passing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHUNK 65536

void open_pair(struct pair *pair, int client, int server)
{
	*pair = (struct pair){ .client = client, .server = server };
}

static short wishes(const struct flow *from, const struct flow *to)
{
	const bool reads = from->rest == NULL && !from->ended;

	return (short)((reads ? POLLIN : 0) | (to->rest != NULL ? POLLOUT : 0));
}

void watch_pair(const struct pair *pair, struct pollfd polled[2])
{
	const short client = wishes(&pair->out, &pair->in);
	const short server = wishes(&pair->in, &pair->out);

	polled[0] = (struct pollfd){ .fd = client == 0 ? -1 : pair->client, .events = client };
	polled[1] = (struct pollfd){ .fd = server == 0 ? -1 : pair->server, .events = server };
}

static bool must_wait(void)
{
	return errno == EAGAIN || errno == EINTR;
}

/* What of `data` the reader does not take now is kept. */
static bool put(struct flow *flow, int to, const char *data, size_t length)
{
	const ssize_t sent = send(to, data, length, MSG_NOSIGNAL);

	if (sent < 0 && !must_wait())
		return false;
	const size_t done = sent < 0 ? 0 : (size_t)sent;
	if (done == length)
		return true;
	flow->rest = malloc(length - done);
	if (flow->rest == NULL)
		return false;
	memcpy(flow->rest, data + done, length - done);
	flow->length = length - done;
	flow->done = 0;
	return true;
}

static bool put_rest(struct flow *flow, int to)
{
	const ssize_t sent = send(to, flow->rest + flow->done, flow->length - flow->done, MSG_NOSIGNAL);

	if (sent < 0)
		return must_wait();
	flow->done += (size_t)sent;
	if (flow->done == flow->length) {
		free(flow->rest);
		flow->rest = NULL;
	}
	return true;
}

static bool move(struct flow *flow, int from, int to)
{
	static char chunk[CHUNK];
	const ssize_t got = recv(from, chunk, sizeof(chunk), 0);

	if (got < 0)
		return must_wait();
	if (got > 0)
		return put(flow, to, chunk, (size_t)got);
	flow->ended = true;
	/* The other direction may go on: a request whose end was sent still gets its answer. */
	return shutdown(to, SHUT_WR) == 0;
}

static bool step(struct flow *flow, int from, int to, short readable, short writable)
{
	if (flow->rest != NULL)
		return writable == 0 || put_rest(flow, to);
	return readable == 0 || flow->ended || move(flow, from, to);
}

bool pass_on(struct pair *pair, const struct pollfd polled[2])
{
	const short client = polled[0].revents;
	const short server = polled[1].revents;
	/* Errors and hang-ups show in what recv(2) and send(2) say. */
	const bool whole = step(&pair->out, pair->client, pair->server, client, server) &&
			   step(&pair->in, pair->server, pair->client, server, client);
	const bool over = pair->out.ended && pair->in.ended;

	if (whole && !over)
		return true;
	free(pair->out.rest);
	free(pair->in.rest);
	close(pair->server);
	if (over)
		close(pair->client);
	else
		reset(pair->client);
	return false;
}

void reset(int fd)
{
	static const struct linger now = { .l_onoff = 1 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	close(fd);
}
