/* Owns which system calls change the host, and what each names. */
#include "calls.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "memory.h"

#define PLAIN(name) { SYS_##name, #name, NONE, NONE, NONE }
#define AT(name, path) { SYS_##name, #name, path, NONE, NONE }
#define ON(name) { SYS_##name, #name, NONE, 0, NONE }

static const struct call calls[] = {
	{ SYS_openat, "openat", 1, NONE, 2 },
	AT(mkdirat, 1), AT(unlinkat, 1), AT(renameat2, 3), AT(linkat, 3), AT(symlinkat, 2), AT(mknodat, 1),
	AT(fchmodat, 1), AT(fchownat, 1), AT(utimensat, 1), AT(mount, 1), AT(umount2, 0), AT(pivot_root, 0), AT(chroot, 0),
	AT(execve, 0), AT(move_mount, 3), AT(truncate, 0), AT(fspick, 1),
#ifdef SYS_open
	{ SYS_open, "open", 0, NONE, 1 },
	AT(creat, 0), AT(mkdir, 0), AT(rmdir, 0), AT(unlink, 0), AT(rename, 1), AT(link, 1), AT(symlink, 1), AT(mknod, 0),
	AT(chmod, 0), AT(chown, 0), AT(lchown, 0), AT(renameat, 3), PLAIN(fork), PLAIN(vfork),
#endif
	ON(write), ON(writev), ON(pwrite64), ON(ftruncate), ON(fchmod), ON(fchown), ON(fsync), ON(fdatasync), ON(connect),
	ON(bind), ON(listen), ON(sendmsg), ON(sendto), ON(copy_file_range), ON(sendfile),
	PLAIN(clone), PLAIN(clone3), PLAIN(unshare), PLAIN(setns), PLAIN(setsid), PLAIN(prctl), PLAIN(kill), PLAIN(socket),
	PLAIN(pidfd_send_signal), PLAIN(setresuid), PLAIN(setresgid), PLAIN(setgroups), PLAIN(capset), PLAIN(seccomp),
	PLAIN(sethostname), PLAIN(open_tree), PLAIN(fsopen), PLAIN(fsmount), PLAIN(exit_group),
};

/* Threads are no processes, and of all that prctl(2) does only the signal at a parent's death outlives anybody. */
static bool counts(const struct ptrace_syscall_info *info, pid_t tid)
{
	__u64 flags = info->entry.args[0];

	if (info->entry.nr == SYS_prctl)
		return flags == PR_SET_PDEATHSIG;
	if (info->entry.nr == SYS_clone3)
		read_memory(&flags, sizeof(flags), tid, info->entry.args[0]);
	else if (info->entry.nr != SYS_clone)
		return true;
	return (flags & CLONE_THREAD) == 0;
}

const struct call *find_call(const struct ptrace_syscall_info *info, pid_t tid)
{
	const size_t count = sizeof(calls) / sizeof(calls[0]);

	for (size_t i = 0; i < count; i++) {
		const struct call *call = &calls[i];
		if (call->number != (long)info->entry.nr)
			continue;
		if (call->flags != NONE && (info->entry.args[call->flags] & (O_WRONLY | O_RDWR | O_CREAT | O_TRUNC)) == 0)
			return NULL;
		return counts(info, tid) ? call : NULL;
	}
	return NULL;
}
