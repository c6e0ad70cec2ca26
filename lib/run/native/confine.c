/* Owns taking privileges and system calls from the forwarder: it reads bytes of the guest, which must not make it do anything else. */
#include "confine.h"

#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#else
#error "the filter is written for x86_64 and aarch64"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define END(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define ALLOW(call)                                      \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (call), 0, 1), \
	END(SECCOMP_RET_ALLOW)

bool drop_privileges(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { { .effective = 0 }, { .effective = 0 } };

	/* Joining made us undumpable: then not even our owner could see which process holds the port. */
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && syscall(SYS_capset, &header, none) == 0 &&
	       prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

bool restrict_calls(void)
{
	struct sock_filter program[] = {
		LOAD(arch),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		END(SECCOMP_RET_KILL_PROCESS),
		LOAD(nr),
#ifdef SYS_poll
		ALLOW(SYS_poll),
#endif
		ALLOW(SYS_ppoll),
		ALLOW(SYS_accept4),
		ALLOW(SYS_connect),
		ALLOW(SYS_recvfrom),
		ALLOW(SYS_sendto),
		ALLOW(SYS_shutdown),
		ALLOW(SYS_setsockopt),
		ALLOW(SYS_close),
		ALLOW(SYS_exit_group),
		ALLOW(SYS_restart_syscall),
		/* Streams over IPv4 alone: no raw socket, no netlink. */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_socket, 1, 0),
		END(SECCOMP_RET_KILL_PROCESS),
		LOAD(args[0]),
		ALLOW(AF_INET),
		END(SECCOMP_RET_KILL_PROCESS),
	};
	const struct sock_fprog filter = { .len = sizeof(program) / sizeof(program[0]), .filter = program };

	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}
