/* Owns the terminal. The runtime makes the pty inside the sandbox and sends us its master (--console-socket); no name of it is opened. */
#include "terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "clock.h"
#include "kernel.h"
#include "say.h"

#define PATIENCE_MS 10000
#define USUAL_ROWS 24
#define USUAL_COLUMNS 80

static struct termios before; /* of the caller's terminal */

bool uses_caller(const struct options *options)
{
	return options->terminal && options->output_log == NULL;
}

int terminal_of_caller(const struct options *options)
{
	return options->pass_stdin ? STDIN_FILENO : STDOUT_FILENO;
}

/* By the folder's descriptor: the whole path may be longer than a socket's name can be. */
static int listen_in(const char *folder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const int dir = open(folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/tty", dir);
	const bool done = dir >= 0 && listener >= 0 &&
			  bind(listener, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
			  listen(listener, 1) == 0;
	const int error = errno;
	if (dir >= 0)
		close(dir);
	if (!done && listener >= 0)
		close(listener);
	errno = error;
	return done ? listener : -1;
}

/* Before there are threads, which inherit the mask: else one of them would take the signal. */
static int watch_size(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

bool open_terminal(const struct options *options, struct terminal *terminal)
{
	*terminal = NO_TERMINAL;
	if (!options->terminal)
		return true;
	if (uses_caller(options) && (!isatty(STDOUT_FILENO) || tcgetattr(terminal_of_caller(options), &before) != 0)) {
		say("there is no terminal\n  leave -t out");
		return false;
	}
	terminal->resized = uses_caller(options) ? watch_size() : -1;
	terminal->listener = listen_in(options->run_dir);
	if (terminal->listener >= 0)
		return true;
	say("cannot make a socket: %s", why(errno));
	return false;
}

static int receive_descriptor(int from)
{
	char byte[64];
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec part = { .iov_base = byte, .iov_len = sizeof(byte) };
	struct msghdr message = {
		.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control),
	};
	const struct cmsghdr *head;
	int descriptor = -1;

	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) <= 0)
		return -1;
	head = CMSG_FIRSTHDR(&message);
	if (head != NULL && head->cmsg_level == SOL_SOCKET && head->cmsg_type == SCM_RIGHTS &&
	    head->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&descriptor, CMSG_DATA(head), sizeof(int));
	return descriptor;
}

/* False when the child ended first, or time is up. */
static bool await_readable(int descriptor, int child, int64_t until)
{
	struct pollfd fds[2] = { { .fd = descriptor, .events = POLLIN }, { .fd = child, .events = POLLIN } };

	for (int64_t left = until - monotonic_ms(); left > 0; left = until - monotonic_ms()) {
		if (poll(fds, 2, (int)left) < 0 && errno == EINTR)
			continue;
		if (fds[0].revents != 0)
			return true;
		if (fds[1].revents != 0)
			return false;
	}
	return false;
}

/* With input all is for the guest's terminal to interpret; without it its output is finished, and Ctrl-C is for us. */
static void change_mode(const struct options *options, struct terminal *terminal)
{
	struct termios mode = before;

	if (options->pass_stdin) {
		cfmakeraw(&mode);
	} else {
		mode.c_oflag &= ~(tcflag_t)OPOST;
		/* Who started us would be stopped, and we go on writing. */
		mode.c_cc[VSUSP] = _POSIX_VDISABLE;
	}
	if (tcsetattr(terminal_of_caller(options), TCSADRAIN, &mode) == 0)
		terminal->changed = terminal_of_caller(options);
}

/* Our init holds the program back until there is a size: a runtime may set one a moment after it began, or none. */
static void give_size(const struct options *options, const struct terminal *terminal)
{
	struct winsize size = { 0 };

	if (options->size != NULL)
		sscanf(options->size, "%4hux%4hu", &size.ws_row, &size.ws_col);
	else
		ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
	if (size.ws_row == 0 || size.ws_col == 0)
		size = (struct winsize){ .ws_row = USUAL_ROWS, .ws_col = USUAL_COLUMNS };
	ioctl(terminal->master, TIOCSWINSZ, &size);
}

bool receive_terminal(const struct options *options, struct terminal *terminal, int child)
{
	const int64_t until = monotonic_ms() + PATIENCE_MS;
	int connection = -1;

	if (await_readable(terminal->listener, child, until))
		connection = accept4(terminal->listener, NULL, NULL, SOCK_CLOEXEC);
	if (connection >= 0 && await_readable(connection, child, until))
		terminal->master = receive_descriptor(connection);
	if (connection >= 0)
		close(connection);
	close(terminal->listener);
	terminal->listener = -1;
	/* Only a terminal's master: whatever else came is not read from. */
	if (terminal->master < 0 || find_terminal_number(terminal->master, &(unsigned int){ 0 }) != 0 ||
	    fcntl(terminal->master, F_SETFL, O_RDWR | O_NONBLOCK) != 0)
		return false;
	give_size(options, terminal);
	if (uses_caller(options))
		change_mode(options, terminal);
	return true;
}

void resize_terminal(const struct options *options, struct terminal *terminal)
{
	struct signalfd_siginfo info;

	while (terminal->resized >= 0 && read(terminal->resized, &info, sizeof(info)) == sizeof(info))
		;
	if (terminal->master >= 0)
		give_size(options, terminal);
}

void restore_terminal(struct terminal *terminal)
{
	if (terminal->changed >= 0)
		tcsetattr(terminal->changed, TCSADRAIN, &before);
	terminal->changed = -1;
}
