/* Owns attempts at files: writing where nothing may be written, executing where nothing may run, making devices. */
#include "attempt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define LONGEST_PATH 256

void open_path(const struct attempt *attempt, struct outcome *outcome)
{
	if (open(attempt->path, (int)attempt->number | O_NONBLOCK | O_CLOEXEC) < 0)
		outcome->error = errno;
}

static void place(char *path, const char *folder)
{
	snprintf(path, LONGEST_PATH, "%s/cofferdam-probe-%d", folder, (int)getpid());
}

static void create_in(const struct attempt *attempt, struct outcome *outcome)
{
	char path[LONGEST_PATH];

	place(path, attempt->path);
	if (open(path, O_WRONLY | O_CREAT | O_EXCL, 0600) < 0)
		outcome->error = errno;
	else
		unlink(path);
}

static void execute_in(const struct attempt *attempt, struct outcome *outcome)
{
	static const char script[] = "#!/bin/sh\nexit 0\n";
	char path[LONGEST_PATH];
	int status = 0;

	place(path, attempt->path);
	const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0700);
	if (fd < 0 || write(fd, script, sizeof(script) - 1) < 0 || close(fd) != 0) {
		/* Not EACCES, which would read as refused: nothing was tried. */
		outcome->error = ECANCELED;
		snprintf(outcome->detail, DETAIL_MAX, "cannot write there: %s", strerrorname_np(errno));
		return;
	}
	const pid_t child = fork();
	if (child == 0) {
		char *const words[] = { path, NULL };

		execv(path, words);
		_exit(errno);
	}
	waitpid(child, &status, 0);
	unlink(path);
	outcome->error = WIFEXITED(status) ? WEXITSTATUS(status) : EINTR;
}

static void make_device(const struct attempt *attempt, struct outcome *outcome)
{
	char path[LONGEST_PATH];

	place(path, setting.folder);
	if (mknod(path, (mode_t)attempt->number | 0600, makedev((unsigned)attempt->arguments[0], (unsigned)attempt->arguments[1])) != 0)
		outcome->error = errno;
	else
		unlink(path);
}

#define OPEN(name, file, flags) { .id = name, .act = open_path, .number = flags, .path = file }

static const struct attempt attempts[] = {
	{ .id = "fs.create-in-root", .act = create_in, .path = "/" },
	{ .id = "fs.create-in-usr", .act = create_in, .path = "/usr/bin" },
	{ .id = "fs.create-in-etc", .act = create_in, .path = "/etc" },
	OPEN("fs.write-passwd", "/etc/passwd", O_WRONLY),
	OPEN("fs.write-shell", "/bin/sh", O_WRONLY),
	OPEN("fs.read-shadow", "/etc/shadow", O_RDONLY),
	OPEN("fs.read-init", "/.cofferdam/init", O_RDONLY),
	{ .id = "fs.execute-in-tmp", .act = execute_in, .path = "/tmp" },
	{ .id = "fs.execute-in-shm", .act = execute_in, .path = "/dev/shm" },
	{ .id = "fs.execute-in-run", .act = execute_in, .path = "/run" },
	{ .id = "fs.execute-in-artifacts", .act = execute_in, .path = "/artifacts" },
	OPEN("proc.write-sysctl", "/proc/sys/kernel/core_pattern", O_WRONLY),
	OPEN("proc.write-sysrq", "/proc/sysrq-trigger", O_WRONLY),
	OPEN("proc.write-uevent", "/sys/kernel/uevent_helper", O_WRONLY),
	OPEN("proc.init-memory", "/proc/1/mem", O_RDONLY),
	OPEN("proc.init-environment", "/proc/1/environ", O_RDONLY),
	OPEN("proc.init-root", "/proc/1/root/", O_RDONLY | O_DIRECTORY),
	OPEN("proc.init-descriptors", "/proc/1/fd", O_RDONLY | O_DIRECTORY),
	OPEN("proc.init-namespace", "/proc/1/ns/net", O_RDONLY),
	OPEN("device.kmsg", "/dev/kmsg", O_RDONLY),
	OPEN("device.mem", "/dev/mem", O_RDONLY),
	OPEN("device.kvm", "/dev/kvm", O_RDWR),
	OPEN("device.fuse", "/dev/fuse", O_RDWR),
	OPEN("device.tun", "/dev/net/tun", O_RDWR),
	OPEN("device.loop", "/dev/loop-control", O_RDWR),
	OPEN("device.vsock", "/dev/vsock", O_RDONLY),
	OPEN("device.userfaultfd", "/dev/userfaultfd", O_RDONLY),
	{ .id = "device.make-block", .act = make_device, .number = S_IFBLK, .arguments = { 7, 0 } },
	{ .id = "device.make-character", .act = make_device, .number = S_IFCHR, .arguments = { 1, 1 } },
};

const struct table file_attempts = { attempts, COUNT(attempts) };
