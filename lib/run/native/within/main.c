/*
 * Owns what has to be done inside a sandbox of gVisor, whose exec brings a process in without the filter and ends none:
 *   within filter FILE PROGRAM [ARGUMENT...]   loads the filter and becomes the program
 *   within end GROUP GRACE-MS                  ends all processes with the supplementary group GROUP
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "end.h"

#define STATUS_OURS 125
#define CANNOT_INVOKE 126
#define MOST_INSTRUCTIONS 4096 /* BPF_MAXINSNS */

static int refuse(const char *what)
{
	fprintf(stderr, "sandbox: cannot enter the sandbox: %s: %s\n", what, strerror(errno));
	return STATUS_OURS;
}

static bool load(struct sock_filter *code, size_t count)
{
	const struct sock_fprog program = { .len = (unsigned short)count, .filter = code };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

static bool load_file(const char *path)
{
	static struct sock_filter code[MOST_INSTRUCTIONS];
	const int file = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t size = file < 0 ? -1 : read(file, code, sizeof(code));
	char more;

	if (size <= 0 || size % (ssize_t)sizeof(code[0]) != 0 || read(file, &more, 1) != 0) {
		errno = size < 0 ? errno : EINVAL;
		return false;
	}
	close(file);
	return load(code, (size_t)size / sizeof(code[0]));
}

#define WORD(member) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, member))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (skip))
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, (value))
#define KIND BPF_STMT(BPF_ALU | BPF_AND | BPF_K, S_IFMT)

/* No device nodes: the sentry of 2022 makes them for everybody (lib/engine/runsc/seccomp.ts). Loaded first, while it may be. */
static bool refuse_devices(void)
{
	struct sock_filter code[] = {
		WORD(nr),
#ifdef SYS_mknod
		UNLESS(SYS_mknod, 2),
		WORD(args[1]),
		BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
#endif
		UNLESS(SYS_mknodat, 4),
		WORD(args[2]),
		KIND,
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, S_IFCHR, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, S_IFBLK, 1, 0),
		ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_ERRNO | EPERM),
	};

	return load(code, sizeof(code) / sizeof(code[0]));
}

static int become(const char *filter, char **words)
{
	if (!refuse_devices() || !load_file(filter))
		return refuse("the filter cannot be loaded");
	/* It answers 2 for what is filtered, in the sentry as in the kernel. */
	if (prctl(PR_GET_SECCOMP) != SECCOMP_MODE_FILTER)
		return refuse("the filter is not loaded");
	execv(words[0], words);
	refuse("its init cannot be executed");
	return CANNOT_INVOKE;
}

int main(int argc, char **argv)
{
	if (argc >= 4 && strcmp(argv[1], "filter") == 0) {
		/* May be asked already, and gVisor knows no other way. */
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		return become(argv[2], argv + 3);
	}
	if (argc == 4 && strcmp(argv[1], "end") == 0)
		return end_group(argv[2], argv[3]) ? 0 : STATUS_OURS;
	return STATUS_OURS;
}
