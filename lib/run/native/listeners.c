/* Owns the sockets of published ports on the host. They exist before the program does: a port that is taken starts nothing. */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "forward.h"
#include "refuse.h"
#include "say.h"

#define WAITING 512 /* connections that wait to be accepted: a burst is no fault */

static int listen_at(const struct publication *publication)
{
	static const int on = 1;
	const int family = publication->host.ss_family;
	const int listener = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (listener < 0)
		return -1;
	/* Connections of an earlier run that are still closing do not hold the port; a listener does. */
	if (setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    (family == AF_INET || setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) == 0) &&
	    bind(listener, (const struct sockaddr *)&publication->host, publication->size) == 0 &&
	    listen(listener, WAITING) == 0)
		return listener;
	const int error = errno;
	close(listener);
	errno = error;
	return -1;
}

void close_listeners(struct forwarder *forwarder)
{
	while (forwarder->count > 0)
		close(forwarder->listeners[--forwarder->count]);
}

bool open_listeners(const struct options *options, struct forwarder *forwarder)
{
	*forwarder = (struct forwarder){ .pid = 0 };
	for (size_t i = 0; i < options->publication_count; i++) {
		const int listener = listen_at(&options->publications[i]);

		if (listener < 0) {
			refuse(options, errno == EADDRINUSE ? "PORT_IN_USE" : "PORT_REFUSED", "sandbox doctor ports",
			       "the port %s cannot be listened at: %s", options->publications[i].text, why(errno));
			close_listeners(forwarder);
			return false;
		}
		forwarder->listeners[forwarder->count++] = listener;
	}
	return true;
}
