/*
 * Owns attempts that are one syscall. Arguments are such that the act does nothing even where it is not refused: bad
 * descriptors, null pointers, flags that no kernel knows. A filter answers before the kernel looks at them.
 */
#include "attempt.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NONE ((unsigned long)-1)
/* The kernel reads an int from these registers: what stands above must not hide it from a filter. */
#define HIGH 0xfeed000000000000UL
#define ADDR_NO_RANDOMIZE 0x40000UL
#define KEYCTL_GET_KEYRING_ID 0UL
#define KEY_SPEC_SESSION ((unsigned long)-3)

#define CALL(name, ...) { .id = "syscall." #name, .act = make_call, .number = SYS_##name, .arguments = { __VA_ARGS__ } }
#define ROOTED(name, ...) \
	{ .id = "syscall." #name, .act = call_as_namespace_root, .number = SYS_##name, .arguments = { __VA_ARGS__ } }
#define MISSING(name) { .id = "syscall." #name, .act = make_call, .number = ABSENT }

void make_call(const struct attempt *attempt, struct outcome *outcome)
{
	const unsigned long *a = attempt->arguments;

	if (attempt->number == ABSENT)
		outcome->error = ABSENT;
	else if (syscall(attempt->number, a[0], a[1], a[2], a[3], a[4], a[5]) < 0)
		outcome->error = errno;
}

/*
 * The kernel itself refuses these to a plain user, so a second time as root of namespaces of our own, where those can be had:
 * that is how an attacker would go about it.
 */
static void call_as_namespace_root(const struct attempt *attempt, struct outcome *outcome)
{
	make_call(attempt, outcome);
	if (outcome->error != EPERM || unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS) != 0)
		return;
	outcome->error = 0;
	make_call(attempt, outcome);
}

#ifdef __x86_64__
/* getpid of i386. Where the kernel was built without that ABI the instruction itself ends us, with another signal. */
static void enter_32_bit(const struct attempt *attempt, struct outcome *outcome)
{
	long result = 20;

	(void)attempt;
	__asm__ volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
	if (result < 0)
		outcome->error = (int)-result;
}
#endif

static const struct attempt attempts[] = {
	ROOTED(mount, 0),
	ROOTED(umount2, 0),
	ROOTED(pivot_root, 0),
	ROOTED(move_mount, NONE, 0, NONE, 0, 0x80000000),
	ROOTED(open_tree, NONE, 0, 0x80000000),
	ROOTED(fsopen, 0, 0x80000000),
	ROOTED(fsconfig, NONE, NONE),
	ROOTED(fsmount, NONE, 0x80000000),
	ROOTED(fspick, NONE, 0, 0x80000000),
	ROOTED(mount_setattr, NONE, 0, 0x80000000),
	CALL(chroot, 0),
	CALL(bpf, 999),
	CALL(perf_event_open, 0),
	CALL(add_key, 0),
	CALL(request_key, 0),
	CALL(keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION, 0),
	CALL(userfaultfd, 0xffffffff),
	CALL(io_uring_setup, 1, 0),
	CALL(io_uring_enter, NONE),
	CALL(io_uring_register, NONE),
	/* A request that no kernel knows, to no process: TRACEME would change who our parent is to us. */
	CALL(ptrace, 0x7fff, NONE),
	CALL(process_vm_readv, NONE),
	CALL(process_vm_writev, NONE),
	CALL(kcmp, NONE, NONE),
	CALL(pidfd_getfd, NONE),
	CALL(personality, ADDR_NO_RANDOMIZE),
	{ .id = "syscall.personality-high", .act = make_call, .number = SYS_personality, .arguments = { HIGH | ADDR_NO_RANDOMIZE } },
	CALL(name_to_handle_at, NONE, 0, 0, 0, 0x80000000),
	CALL(open_by_handle_at, NONE),
	CALL(fanotify_init, 0x80000000),
	CALL(fanotify_mark, NONE),
	CALL(quotactl, NONE),
	CALL(acct, 0),
	CALL(swapon, 0),
	CALL(swapoff, 0),
	CALL(reboot, 0),
	CALL(kexec_load, 0),
	CALL(init_module, 0),
	CALL(finit_module, NONE),
	CALL(delete_module, 0),
	ROOTED(sethostname, 0, NONE),
	ROOTED(setdomainname, 0, NONE),
	CALL(clock_settime, 0x7fffffff),
	CALL(syslog, 10),
	CALL(vhangup, 0),
	CALL(move_pages, NONE, 0, 0, 0, 0, 0x80),
	CALL(migrate_pages, NONE),
	CALL(mbind, 1, 0, 0x7fff),
	CALL(set_mempolicy, 0x7fff),
	CALL(vmsplice, NONE),
	CALL(clone3, 0),
	CALL(setns, NONE),
#ifdef __x86_64__
	CALL(iopl, 3),
	CALL(ioperm, 0, 1, 1),
	CALL(modify_ldt, 0x7fff),
	{ .id = "syscall.abi-32-bit", .act = enter_32_bit },
	{ .id = "syscall.abi-x32", .act = make_call, .number = 0x40000000 | SYS_getpid },
#else
	MISSING(iopl),
	MISSING(ioperm),
	MISSING(modify_ldt),
	{ .id = "syscall.abi-32-bit", .act = make_call, .number = ABSENT },
	{ .id = "syscall.abi-x32", .act = make_call, .number = ABSENT },
#endif
	{ .id = "syscall.statmount", .act = make_call, .number = 457 },
	{ .id = "syscall.listmount", .act = make_call, .number = 458 },
	{ .id = "syscall.unheard-of", .act = make_call, .number = 9999 },
	{ .id = "identity.become-root", .act = make_call, .number = SYS_setuid },
	{ .id = "identity.become-root-group", .act = make_call, .number = SYS_setgid },
	{ .id = "identity.set-groups", .act = make_call, .number = SYS_setgroups },
	/* PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_SYS_ADMIN */
	{ .id = "identity.raise-capability", .act = make_call, .number = SYS_prctl, .arguments = { 47, 2, 21 } },
	/* PR_SET_NO_NEW_PRIVS back to 0 */
	{ .id = "identity.drop-no-new-privs", .act = make_call, .number = SYS_prctl, .arguments = { 38, 0 } },
	/* PR_SET_SECCOMP back to SECCOMP_MODE_DISABLED */
	{ .id = "identity.drop-seccomp", .act = make_call, .number = SYS_prctl, .arguments = { 22, 0 } },
	/* PRIO_PROCESS, ourselves, -10 */
	{ .id = "limit.raise-priority", .act = make_call, .number = SYS_setpriority, .arguments = { 0, 0, (unsigned long)-10 } },
};

const struct table syscall_attempts = { attempts, COUNT(attempts) };
