/* Owns system calls that not every C library has a function for, or not the same one. */
#ifndef KERNEL_H
#define KERNEL_H

#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC 4
#endif

/* Like the calls: -1 and errno on failure. */
static inline int open_pidfd(pid_t pid)
{
	return (int)syscall(SYS_pidfd_open, pid, 0);
}

static inline int signal_pidfd(int pidfd, int signal)
{
	return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

static inline int execute_file(int file, char *const argv[], char *const environment[])
{
	return (int)syscall(SYS_execveat, file, "", argv, environment, AT_EMPTY_PATH);
}

/* No part of the path is followed where it is a link. */
static inline int open_without_links(const char *path, uint64_t flags)
{
	const struct open_how how = { .flags = flags, .resolve = RESOLVE_NO_SYMLINKS };

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
}

/* Fails with EEXIST where something stands already. */
static inline int move_to_free(int from, const char *name, int to, const char *free)
{
	return (int)syscall(SYS_renameat2, from, name, to, free, RENAME_NOREPLACE);
}

/* TIOCGPTN of ioctl_tty(2). */
static inline int find_terminal_number(int master, unsigned int *number)
{
	return (int)syscall(SYS_ioctl, master, TIOCGPTN, number);
}

/* All descriptors from `first` on: closed, or with CLOSE_RANGE_CLOEXEC at the next exec. */
static inline int close_from(unsigned int first, unsigned int flags)
{
	return (int)syscall(SYS_close_range, first, UINT_MAX, flags);
}

#endif
