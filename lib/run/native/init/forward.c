/* Owns listening on the sandbox's loopback, and one pair of sockets for each connection. What is passed on: passing.c. */
#include "forward.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "passing.h"

#define MOST_CONNECTIONS 512
#define WAITING 511 /* as many as the kernel keeps before they are accepted; a burst must not be refused */

static bool parse_port(const char *text, const char *end, in_port_t *out)
{
	unsigned port = 0;

	if (text == end || *text == '0')
		return false;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9' || port > 6553)
			return false;
		port = port * 10 + (unsigned)(*text - '0');
	}
	*out = (in_port_t)port;
	return port <= 65535;
}

bool open_forward(const char *word, struct forward *out)
{
	const char *path = strchr(word, '=');
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	in_port_t port;

	if (path == NULL || !parse_port(word, path, &port) || path[1] != '/' ||
	    strlen(path + 1) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
		fprintf(stderr, "sandbox: not PORT=PATH: %.100s\n", word);
		return false;
	}
	address.sin_port = htons(port);
	out->path = path + 1;
	out->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out->listener >= 0 && bind(out->listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(out->listener, WAITING) == 0)
		return true;
	fprintf(stderr, "sandbox: cannot listen on port %u of the loopback inside: %s\n", port, strerror(errno));
	return false;
}

/* The socket at `path`, or -1: nobody listens there, or too many wait. Connecting never waits (unix(7), EAGAIN). */
static int reach(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	memcpy(address.sun_path, path, strlen(path));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	close(fd);
	return -1;
}

static void take(const struct forward *forward, struct pair *pair)
{
	static const int yes = 1;
	const int client = accept4(forward->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (client < 0)
		return;
	const int server = reach(forward->path);
	if (server < 0) {
		reset(client);
		return;
	}
	setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	open_pair(pair, client, server);
}

/* Two descriptors for each, beside the listeners, within what the sandbox may have. */
static size_t most_pairs(size_t listeners)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < listeners + 4)
		return 1;
	const size_t most = (size_t)(limit.rlim_cur - listeners - 2) / 2;
	return most < MOST_CONNECTIONS ? most : MOST_CONNECTIONS;
}

_Noreturn void serve_forwards(const struct forward *forwards, size_t count)
{
	static struct pair pairs[MOST_CONNECTIONS];
	static struct pollfd polled[MOST_FORWARDS + 2 * MOST_CONNECTIONS];
	const size_t most = most_pairs(count);
	size_t live = 0;

	/* As init itself, whose file cannot be read: the guest may end this process, which is its own loss, but not steer it. */
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGTERM, SIG_DFL);
	/* The program's output ends with the program. */
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	for (;;) {
		/* With all pairs in use, whoever else connects waits. */
		for (size_t i = 0; i < count; i++)
			polled[i] = (struct pollfd){ .fd = live < most ? forwards[i].listener : -1, .events = POLLIN };
		for (size_t i = 0; i < live; i++)
			watch_pair(&pairs[i], &polled[count + 2 * i]);
		if (poll(polled, count + 2 * live, -1) < 0) {
			if (errno == EINTR)
				continue;
			_exit(1);
		}
		/* Backwards, because the last takes the place of one that has ended. */
		for (size_t i = live; i-- > 0;)
			if (!pass_on(&pairs[i], &polled[count + 2 * i]))
				pairs[i] = pairs[--live];
		for (size_t i = 0; i < count; i++) {
			if (live == most || (polled[i].revents & POLLIN) == 0)
				continue;
			pairs[live].client = -1;
			take(&forwards[i], &pairs[live]);
			live += pairs[live].client >= 0;
		}
	}
}
