/*
 * Owns making a terminal where an engine cannot be asked to hand one out:
 *   pty connect RUN-DIR PROGRAM [ARGUMENT...]          becomes the program, with a connection to RUN-DIR/tty
 *   pty open cooked|raw PTMX PROGRAM [ARGUMENT...]     sends the master of a new pty over that connection, and becomes the program in a
 *                                                      session of its own, whose terminal is the slave
 * In two steps, because who can reach the supervisor's socket may be in other namespaces than the pty.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#define CONNECTION 20 /* descriptor of the connection, from one step to the other; scripts in between have names for 0 to 9 */
#define STATUS_OURS 125

static int refuse(const char *what)
{
	fprintf(stderr, "sandbox: cannot make a terminal: %s: %s\n", what, strerror(errno));
	return STATUS_OURS;
}

static int become(char **program)
{
	execv(program[0], program);
	return refuse(program[0]);
}

/* By the folder's descriptor: the whole path may be longer than a socket's name can be. */
static bool reach(const char *folder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int dir = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/tty", dir);
	if (dir < 0 || made < 0 || connect(made, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return false;
	return made == CONNECTION ? fcntl(made, F_SETFD, 0) == 0 : dup2(made, CONNECTION) == CONNECTION;
}

static bool send_descriptor(int sent)
{
	char byte = 0;
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec part = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(head), &sent, sizeof(int));
	return sendmsg(CONNECTION, &message, MSG_NOSIGNAL) == 1;
}

/* The slave by its master, whatever is mounted where (ioctl_tty(2)). */
static int open_pair(const char *ptmx, int *master)
{
	*master = open(ptmx, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || ioctl(*master, TIOCSPTLCK, &(int){ 0 }) != 0)
		return -1;
	return ioctl(*master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

static bool make_raw(int slave)
{
	struct termios mode;

	if (tcgetattr(slave, &mode) != 0)
		return false;
	cfmakeraw(&mode);
	return tcsetattr(slave, TCSANOW, &mode) == 0;
}

static int open_terminal(const char *mode, const char *ptmx, char **program)
{
	int master;
	const int slave = open_pair(ptmx, &master);

	if (slave < 0)
		return refuse(ptmx);
	if (strcmp(mode, "raw") == 0 && !make_raw(slave))
		return refuse("its mode");
	if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0) != 0)
		return refuse("its session");
	if (!send_descriptor(master))
		return refuse("the supervisor");
	close(CONNECTION);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (dup2(slave, fd) != fd)
			return refuse("its streams");
	return become(program);
}

int main(int count, char **words)
{
	if (count > 3 && strcmp(words[1], "connect") == 0)
		return reach(words[2]) ? become(words + 3) : refuse("the supervisor's socket");
	if (count > 4 && strcmp(words[1], "open") == 0)
		return open_terminal(words[2], words[3], words + 4);
	errno = EINVAL;
	return refuse("what was asked for");
}
