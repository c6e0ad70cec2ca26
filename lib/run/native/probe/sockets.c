/* Owns attempts at sockets: families a sandbox has no use for, and ways to somebody outside. No packet leaves the host. */
#include "attempt.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NO_SUCH_TYPE 15
#define SOCKET(name, family, type, protocol) \
	{ .id = "socket." name, .act = make_socket, .arguments = { family, type, protocol } }

/*
 * A type that does not exist first: a kernel that is asked says so (EINVAL) before it loads the module of the family, a filter
 * refuses the family whatever the type. Only where it was refused is the real one tried.
 */
static void make_socket(const struct attempt *attempt, struct outcome *outcome)
{
	const int family = (int)attempt->arguments[0];

	if (socket(family, NO_SUCH_TYPE, 0) >= 0 || errno != EPERM) {
		outcome->error = errno;
		snprintf(outcome->detail, DETAIL_MAX, "the family is not refused");
		return;
	}
	if (socket(family, (int)attempt->arguments[1], (int)attempt->arguments[2]) < 0)
		outcome->error = errno;
}

/* Families whose types and protocols decide: netlink takes no module for those that the kernel has built in. */
static void make_protocol(const struct attempt *attempt, struct outcome *outcome)
{
	const unsigned long *a = attempt->arguments;

	if (socket((int)a[0], (int)a[1], (int)a[2]) < 0)
		outcome->error = errno;
}

static void make_pair(const struct attempt *attempt, struct outcome *outcome)
{
	int ends[2];

	if (socketpair((int)attempt->arguments[0], (int)attempt->arguments[1], 0, ends) != 0)
		outcome->error = errno;
}

static void reach(int family, int type, const void *address, socklen_t size, struct outcome *outcome)
{
	const int fd = socket(family, type, 0);

	if (fd < 0 || connect(fd, address, size) != 0)
		outcome->error = errno;
}

/* connect(2) of a datagram socket looks for a route and sends nothing; the addresses are for documentation (RFC 5737, 3849). */
static void route_ipv4(const struct attempt *attempt, struct outcome *outcome)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };

	(void)attempt;
	inet_pton(AF_INET, "198.51.100.1", &to.sin_addr);
	reach(AF_INET, SOCK_DGRAM, &to, sizeof(to), outcome);
}

static void route_ipv6(const struct attempt *attempt, struct outcome *outcome)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6, .sin6_port = htons(9) };

	(void)attempt;
	inet_pton(AF_INET6, "2001:db8::1", &to.sin6_addr);
	reach(AF_INET6, SOCK_DGRAM, &to, sizeof(to), outcome);
}

static void reach_loopback(const struct attempt *attempt, struct outcome *outcome)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(setting.port) };

	(void)attempt;
	inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
	reach(AF_INET, SOCK_STREAM, &to, sizeof(to), outcome);
}

static void reach_abstract(const struct attempt *attempt, struct outcome *outcome)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	const int size = snprintf(to.sun_path + 1, sizeof(to.sun_path) - 1, "cofferdam-verify-%u", setting.port);

	(void)attempt;
	reach(AF_UNIX, SOCK_STREAM, &to, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)size), outcome);
}

static const struct attempt attempts[] = {
	SOCKET("packet", AF_PACKET, SOCK_RAW, 0),
	SOCKET("vsock", AF_VSOCK, SOCK_STREAM, 0),
	SOCKET("alg", AF_ALG, SOCK_SEQPACKET, 0),
	SOCKET("key", AF_KEY, SOCK_RAW, 2),
	SOCKET("can", AF_CAN, SOCK_RAW, 1),
	SOCKET("tipc", AF_TIPC, SOCK_STREAM, 0),
	SOCKET("rds", AF_RDS, SOCK_SEQPACKET, 0),
	SOCKET("bluetooth", AF_BLUETOOTH, SOCK_RAW, 1),
	SOCKET("xdp", 44, SOCK_RAW, 0),
	SOCKET("smc", 43, SOCK_STREAM, 0),
	SOCKET("kcm", 41, SOCK_DGRAM, 0),
	{ .id = "socket.raw", .act = make_protocol, .arguments = { AF_INET, SOCK_RAW, IPPROTO_ICMP } },
	{ .id = "socket.raw6", .act = make_protocol, .arguments = { AF_INET6, SOCK_RAW, IPPROTO_ICMPV6 } },
	{ .id = "socket.sctp", .act = make_protocol, .arguments = { AF_INET, SOCK_STREAM, IPPROTO_SCTP } },
	{ .id = "socket.netlink-generic", .act = make_protocol, .arguments = { AF_NETLINK, SOCK_RAW, 16 } },
	{ .id = "socket.netlink-uevent", .act = make_protocol, .arguments = { AF_NETLINK, SOCK_RAW, 15 } },
	{ .id = "socket.netlink-audit", .act = make_protocol, .arguments = { AF_NETLINK, SOCK_RAW, 9 } },
	{ .id = "socket.pair-inet", .act = make_pair, .arguments = { AF_INET, SOCK_STREAM } },
	{ .id = "net.route-ipv4", .act = route_ipv4 },
	{ .id = "net.route-ipv6", .act = route_ipv6 },
	{ .id = "net.host-loopback", .act = reach_loopback },
	{ .id = "net.host-abstract", .act = reach_abstract },
};

const struct table socket_attempts = { attempts, COUNT(attempts) };
