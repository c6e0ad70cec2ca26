/* Owns attempts to type into a terminal, or to change its driver. The terminal is a fresh one of ours, never the caller's. */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HIGH 0xfeed000000000000UL
#define TIOCSTI_REQUEST 0x5412UL
#define TIOCLINUX_REQUEST 0x541cUL
#define TIOCSETD_REQUEST 0x5423UL

static char typed[] = { 'x', 0, 0, 0 };

static void control_terminal(const struct attempt *attempt, struct outcome *outcome)
{
	char name[64];

	/* A session of our own, so that the terminal becomes ours: the kernel refuses TIOCSTI on any other by itself. */
	setsid();
	const int master = posix_openpt(O_RDWR | O_NOCTTY);

	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 || ptsname_r(master, name, sizeof(name)) != 0 ||
	    open(name, O_RDWR) < 0) {
		outcome->error = errno == EPERM ? EIO : errno;
		return;
	}
	const int terminal = open(name, O_RDWR);

	if (syscall(SYS_ioctl, terminal, attempt->arguments[0], typed) < 0)
		outcome->error = errno;
}

static void set_discipline(const struct attempt *attempt, struct outcome *outcome)
{
	/* N_TTY, which it has already. */
	typed[0] = 0;
	control_terminal(attempt, outcome);
}

static const struct attempt attempts[] = {
	{ .id = "device.tiocsti", .act = control_terminal, .arguments = { TIOCSTI_REQUEST } },
	{ .id = "device.tiocsti-high", .act = control_terminal, .arguments = { HIGH | TIOCSTI_REQUEST } },
	{ .id = "device.tioclinux", .act = control_terminal, .arguments = { TIOCLINUX_REQUEST } },
	{ .id = "device.tiocsetd", .act = set_discipline, .arguments = { TIOCSETD_REQUEST } },
	{ .id = "device.controlling-terminal", .act = open_path, .number = O_RDWR | O_NOCTTY, .path = "/dev/tty" },
};

const struct table terminal_attempts = { attempts, COUNT(attempts) };
