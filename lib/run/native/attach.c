/*
 * Owns one call of D-Bus: AttachProcessesToUnit(ssau) of org.freedesktop.systemd1(5), on the manager's private socket.
 * By hand, because a client program takes longer to start than the whole rest of a launch.
 */
#include "attach.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define PATIENCE_S 60
#define LONGEST_LINE 256
#define LONGEST_ANSWER 65536
#define HEADER 16

enum type { METHOD_RETURN = 2, ERROR = 3 };

/* A D-Bus message as it grows; all of ours are far below the size. */
struct message {
	unsigned char bytes[1024];
	size_t size;
};

static void align(struct message *message, size_t to)
{
	while (message->size % to != 0)
		message->bytes[message->size++] = 0;
}

static void put_number(struct message *message, uint32_t value)
{
	align(message, 4);
	memcpy(message->bytes + message->size, &value, sizeof(value));
	message->size += sizeof(value);
}

static void put_bytes(struct message *message, const char *text)
{
	const size_t size = strlen(text) + 1;

	memcpy(message->bytes + message->size, text, size);
	message->size += size;
}

static void put_string(struct message *message, const char *text)
{
	put_number(message, (uint32_t)strlen(text));
	put_bytes(message, text);
}

static void put_field(struct message *message, char code, char type, const char *text)
{
	align(message, 8);
	const char start[] = { code, 1, type, 0 };
	memcpy(message->bytes + message->size, start, sizeof(start));
	message->size += sizeof(start);
	if (type != 'g') {
		put_string(message, text);
		return;
	}
	message->bytes[message->size++] = (unsigned char)strlen(text);
	put_bytes(message, text);
}

static void set_number(struct message *message, size_t at, size_t value)
{
	const uint32_t number = (uint32_t)value;

	memcpy(message->bytes + at, &number, sizeof(number));
}

/* D-Bus specification, "Message Format". */
static void build_call(struct message *message, const char *unit, const char *group, pid_t pid)
{
	static const uint16_t probe = 1;
	const bool little = *(const unsigned char *)&probe == 1;
	char name[128];

	snprintf(name, sizeof(name), "%.100s.service", unit);
	*message = (struct message){ .bytes = { little ? 'l' : 'B', 1, 0, 1 }, .size = 8 };
	put_number(message, 1); /* serial */
	put_number(message, 0);
	put_field(message, 1, 'o', "/org/freedesktop/systemd1");
	put_field(message, 2, 's', "org.freedesktop.systemd1.Manager");
	put_field(message, 3, 's', "AttachProcessesToUnit");
	put_field(message, 8, 'g', "ssau");
	set_number(message, 12, message->size - HEADER);
	align(message, 8);
	const size_t body = message->size;
	put_string(message, name);
	put_string(message, group);
	put_number(message, sizeof(uint32_t));
	put_number(message, (uint32_t)pid);
	set_number(message, 4, message->size - body);
}

static bool fail_with(int error)
{
	errno = error;
	return false;
}

static bool receive(int file, void *to, size_t size)
{
	const ssize_t got = recv(file, to, size, MSG_WAITALL);

	if (got == (ssize_t)size)
		return true;
	return fail_with(got >= 0 ? ECONNRESET : errno == EAGAIN ? ETIMEDOUT : errno);
}

/* By its socket the manager knows who we are: DATA without a name is enough, also from a user namespace. */
static bool authenticate(int file)
{
	static const char words[] = "\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n";
	char line[LONGEST_LINE];

	if (send(file, words, sizeof(words) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(words) - 1)
		return false;
	do {
		size_t size = 0;

		do {
			if (size == sizeof(line))
				return fail_with(EPROTO);
			if (!receive(file, line + size, 1))
				return false;
		} while (line[size++] != '\n');
		if (strncmp(line, "OK ", 3) != 0 && strncmp(line, "DATA", 4) != 0)
			return fail_with(EPERM);
	} while (strncmp(line, "OK ", 3) != 0);
	return true;
}

static size_t padded(uint32_t size)
{
	return ((size_t)size + 7) / 8 * 8;
}

/* The manager also sends signals to everybody; the first answer is to our only call. */
static bool await_answer(int file)
{
	unsigned char header[HEADER];
	char rest[4096];
	uint32_t body;
	uint32_t fields;

	for (;;) {
		if (!receive(file, header, sizeof(header)))
			return false;
		memcpy(&body, header + 4, sizeof(body));
		memcpy(&fields, header + 12, sizeof(fields));
		if (body > LONGEST_ANSWER || fields > LONGEST_ANSWER)
			return fail_with(EPROTO);
		for (size_t left = padded(fields) + body; left > 0;) {
			const size_t part = left < sizeof(rest) ? left : sizeof(rest);
			if (!receive(file, rest, part))
				return false;
			left -= part;
		}
		if (header[1] == METHOD_RETURN)
			return true;
		if (header[1] == ERROR)
			return fail_with(EPERM);
	}
}

bool attach_process(const char *manager, const char *unit, const char *group, pid_t pid)
{
	const struct timeval patience = { .tv_sec = PATIENCE_S };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct message message;
	const int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (file < 0)
		return false;
	if (strlen(manager) >= sizeof(address.sun_path) || strlen(group) > 100)
		return fail_with(ENAMETOOLONG);
	strcpy(address.sun_path, manager);
	setsockopt(file, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(file, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	build_call(&message, unit, group, pid);
	const bool done = connect(file, (const struct sockaddr *)&address, sizeof(address)) == 0 && authenticate(file) &&
			  send(file, message.bytes, message.size, MSG_NOSIGNAL) == (ssize_t)message.size &&
			  await_answer(file);
	const int error = errno;
	close(file);
	return done || fail_with(error);
}
