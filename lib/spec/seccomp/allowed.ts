// Owns the allow list: syscalls that are allowed whatever their arguments. What is not here is refused.
// It is the common part of what Docker's and Podman's defaults allow to a container without capabilities, less what
// docs/decisions/0004-seccomp.md lists. Names that an architecture doesn't have are ignored there.

const files = `
  access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate
  fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat
  fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init
  inotify_init1 inotify_rm_watch lchown lgetxattr link linkat listxattr listxattrat llistxattr lremovexattr lseek lsetxattr
  lstat mkdir mkdirat mknod mknodat newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
  readahead readlink readlinkat readv removexattr removexattrat rename renameat renameat2 rmdir sendfile setxattr
  setxattrat splice stat statfs statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat
  utime utimensat utimes write writev`;

const memory = `
  brk cachestat madvise map_shadow_stack membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap mseal
  msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease remap_file_pages`;

// vfork and fork carry no flags. seccomp and Landlock let a program confine itself further, never less.
const processes = `
  arch_prctl capget capset execve execveat exit exit_group fork getcpu getegid geteuid getgid getgroups getpgid getpgrp
  getpid getppid getpriority getresgid getresuid getrlimit getrusage getsid gettid getuid ioprio_get ioprio_set kill
  landlock_add_rule landlock_create_ruleset landlock_restrict_self pidfd_open pidfd_send_signal prctl prlimit64
  restart_syscall rseq sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam
  sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield
  seccomp set_robust_list get_robust_list set_tid_address setfsgid setfsuid setgid setgroups setpgid setpriority setregid
  setresgid setresuid setreuid setrlimit setsid setuid sysinfo tgkill times tkill uname vfork wait4 waitid`;

// uretprobe: a host administrator's probe on a program makes the *kernel's* trampoline call it; refused, the program dies.
const signalsAndTime = `
  adjtimex alarm clock_adjtime clock_getres clock_gettime clock_nanosleep futex futex_requeue futex_wait futex_waitv
  futex_wake getitimer getrandom gettimeofday nanosleep pause rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo
  rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo setitimer sigaltstack signalfd signalfd4 time timer_create
  timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime timerfd_settime uretprobe`;

// System V and POSIX queues are confined by the sandbox's own ipc namespace.
const waitingAndMessages = `
  accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
  getpeername getsockname getsockopt io_cancel io_destroy io_getevents io_setup io_submit listen mq_getsetattr mq_notify
  mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 poll ppoll pselect6 recvfrom
  recvmmsg recvmsg select semctl semget semop semtimedop sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget
  shutdown`;

/** Names of the syscalls that are allowed with any arguments, where no condition of conditions.ts says otherwise. */
export function allowedNames(): ReadonlySet<string> {
  return new Set([files, memory, processes, signalsAndTime, waitingAndMessages].join(' ').trim().split(/\s+/));
}

/**
 * Refused with ENOSYS, not EPERM: for these the callers have an older way, and take it only when the kernel seems too old.
 * clone3 takes its flags through a pointer, which a filter cannot read; libc then uses clone, whose flags it can.
 */
export const answeredAsMissing: readonly string[] = [
  'clone3',
  'file_getattr',
  'file_setattr',
  'listmount',
  'listns',
  'lsm_get_self_attr',
  'lsm_list_modules',
  'lsm_set_self_attr',
  'rseq_slice_yield',
  'statmount',
];
