// Owns the checks of the syscall filter: calls that must be refused by it, whatever the kernel would say.
import { parseRelease } from '../../../engine/doctor/kernel.ts';
import { type Check, type Control, harmless, harmlessIf, refusedAnyway, refuses } from '../check.ts';

/** EPERM; with arguments that make a kernel without the filter answer otherwise, harmlessly. */
const refused = [
  'mount',
  'umount2',
  'pivot_root',
  'move_mount',
  'open_tree',
  'fsopen',
  'fsconfig',
  'fsmount',
  'fspick',
  'mount_setattr',
  'chroot',
  'bpf',
  'perf_event_open',
  'add_key',
  'request_key',
  'keyctl',
  'userfaultfd',
  'io_uring_setup',
  'io_uring_enter',
  'io_uring_register',
  'ptrace',
  'process_vm_readv',
  'process_vm_writev',
  'kcmp',
  'pidfd_getfd',
  'personality',
  'personality-high',
  'name_to_handle_at',
  'open_by_handle_at',
  'fanotify_mark',
  'quotactl',
  'init_module',
  'finit_module',
  'delete_module',
  'kexec_load',
  'sethostname',
  'setdomainname',
  'clock_settime',
  'move_pages',
  'migrate_pages',
  'mbind',
  'set_mempolicy',
  'vmsplice',
  'setns',
  'iopl',
  'ioperm',
  'modify_ldt',
];

/** The kernel answers EPERM to a plain user before it looks at anything. */
const privileged = ['fanotify_init', 'acct', 'swapon', 'swapoff', 'reboot', 'syslog', 'vhangup'];

/**
 * Answered as if the kernel were too old, so that callers take the older way, which the filter can read. With the release
 * that brought them: before, a kernel says so itself.
 */
const missing = { clone3: [5, 3], statmount: [6, 8], listmount: [6, 8] } as const;

function sinceKernel([major, minor]: readonly [number, number]): Control {
  return harmlessIf(({ kernel }) => {
    const [a, b] = parseRelease(kernel);
    return a > major || (a === major && b >= minor) ? undefined : 'this kernel does not have the call either';
  });
}

const special: Check[] = [
  refuses('syscall.unheard-of', 'a call that nobody knows yet is answered as missing', ['ENOSYS'], {
    harmless: false,
    why: 'the kernel does not know it either',
  }),
  refuses('syscall.abi-32-bit', 'a 32-bit call ends the process', ['SIGSYS']),
  refuses('syscall.abi-x32', 'an x32 call ends the process', ['SIGSYS']),
];

export const syscallChecks: readonly Check[] = [
  ...refused.map((name) => refuses(`syscall.${name}`, `${name} is refused`, ['EPERM'], harmless)),
  ...privileged.map((name) => refuses(`syscall.${name}`, `${name} is refused`, ['EPERM'], refusedAnyway)),
  ...Object.entries(missing).map(([name, since]) =>
    refuses(`syscall.${name}`, `${name} is answered as missing`, ['ENOSYS'], sinceKernel(since)),
  ),
  ...special,
];
