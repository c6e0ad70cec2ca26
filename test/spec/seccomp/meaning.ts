// Owns the policy read a second time: what each call must be answered, written without looking at lib/spec/seccomp.
// Its base is the host's own container default (containers-common's seccomp.json) for a container without capabilities.
import { readFileSync } from 'node:fs';

export const needs = ['golang-github-containers-common'];
const defaultProfile = '/usr/share/containers/seccomp.json';

interface ProfileRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args?: readonly unknown[] | null;
  readonly includes?: { readonly caps?: readonly string[]; readonly arches?: readonly string[] } | null;
}

export interface ContainerDefault {
  readonly allowed: ReadonlySet<string>;
  readonly mentioned: ReadonlySet<string>;
}

/** What the host's container default allows on one architecture, for some arguments at least, without capabilities. */
export function readContainerDefault(arch: 'x86_64' | 'aarch64'): ContainerDefault {
  const { syscalls } = JSON.parse(readFileSync(defaultProfile, 'utf8')) as { syscalls: ProfileRule[] };
  const goName = { x86_64: 'amd64', aarch64: 'arm64' }[arch];
  const applies = ({ includes }: ProfileRule) =>
    includes?.caps === undefined && (includes?.arches === undefined || includes.arches.includes(goName));
  const allowed = syscalls.filter((rule) => rule.action === 'SCMP_ACT_ALLOW' && applies(rule));
  // Its `socket` rules hang on CAP_AUDIT_WRITE both ways; what they refuse (NETLINK_AUDIT) is refused here as well.
  const names = [...allowed.flatMap((rule) => rule.names), 'socket'];
  return { allowed: new Set(names), mentioned: new Set(syscalls.flatMap((rule) => rule.names)) };
}

/** Allowed by the container default and refused here. docs/decisions/0004-seccomp.md says why. */
export const refusedBeyondDefault = [
  ...['unshare', 'setns', 'clone3'],
  ...['mount', 'umount2', 'pivot_root', 'move_mount', 'open_tree', 'fsopen', 'fsmount', 'fsconfig', 'fspick'],
  ...['mount_setattr', 'ptrace', 'process_vm_readv', 'process_vm_writev', 'pidfd_getfd', 'keyctl'],
  ...['mbind', 'get_mempolicy', 'set_mempolicy', 'memfd_secret', 'modify_ldt', 'reboot', 'syslog'],
  ...['fanotify_mark', 'name_to_handle_at'],
  // Numbers that no kernel of ours implements.
  ...['set_thread_area', 'get_thread_area', 'epoll_ctl_old', 'epoll_wait_old'],
];

/** Newer than the host's default, which refuses them only by not knowing them; Docker's current default allows them. */
export const newerThanDefault = [
  ...[
    'cachestat',
    'fchmodat2',
    'map_shadow_stack',
    'futex_wake',
    'futex_wait',
    'futex_requeue',
    'futex_waitv',
    'mseal',
  ],
  ...['setxattrat', 'getxattrat', 'listxattrat', 'removexattrat', 'uretprobe'],
];

const missing = [
  ...['clone3', 'statmount', 'listmount', 'listns', 'file_getattr', 'file_setattr', 'rseq_slice_yield'],
  ...['lsm_get_self_attr', 'lsm_set_self_attr', 'lsm_list_modules'],
];

const low = (value: bigint | undefined) => Number(BigInt.asUintN(32, value ?? 0n));

function socketAllowed(domain: number, type: number, protocol: number): boolean {
  const kind = type % 16;
  if (domain === 1) return kind === 1 || kind === 2 || kind === 5;
  if (domain === 2 || domain === 10) {
    return (kind === 1 && (protocol === 0 || protocol === 6)) || (kind === 2 && (protocol === 0 || protocol === 17));
  }
  return domain === 16 && (kind === 2 || kind === 3) && protocol === 0;
}

const setsId = (mode: bigint | undefined) => (low(mode) & 0o4000) !== 0 || (low(mode) & 0o2000) !== 0;
const creates = (flags: bigint | undefined) => (low(flags) & 0x40) !== 0 || (low(flags) & 0x400000) !== 0;

/** Index of the mode argument of the calls that a writable host folder restricts; of `open`s, flags come before it. */
const modeArgument = new Map([
  ...['chmod', 'fchmod', 'creat', 'mkdir', 'mknod'].map((name): [string, number] => [name, 1]),
  ...['fchmodat', 'fchmodat2', 'mkdirat', 'mknodat', 'open'].map((name): [string, number] => [name, 2]),
  ['openat', 3],
]);

export const argumentDependent = (writableHostFolder: boolean): readonly string[] => [
  ...['clone', 'ioctl', 'personality', 'socket', 'socketpair'],
  ...(writableHostFolder ? modeArgument.keys() : []),
];

/** What a call by this name must be answered. `undefined` is a number without a name. */
export function expectedAnswer(
  name: string | undefined,
  args: readonly bigint[],
  { base, writableHostFolder }: { readonly base: ContainerDefault; readonly writableHostFolder: boolean },
): string {
  if (name === undefined || missing.includes(name)) return 'ENOSYS';
  if (writableHostFolder && name === 'openat2') return 'ENOSYS';
  const allowed = (base.allowed.has(name) && !refusedBeyondDefault.includes(name)) || newerThanDefault.includes(name);
  if (!allowed) return 'EPERM';
  const when = (holds: boolean) => (holds ? 'allow' : 'EPERM');
  const [first, second, third] = [low(args[0]), low(args[1]), low(args[2])];
  if (name === 'clone')
    return when([17, 25, 26, 27, 28, 29, 30].every((bit) => Math.floor(first / 2 ** bit) % 2 === 0));
  if (name === 'ioctl') return when(second !== 0x5412 && second !== 0x541c && second !== 0x5423);
  if (name === 'personality') return when([0, 8, 131072, 131080, 4294967295].includes(first));
  if (name === 'socket') return when(socketAllowed(first, second, third));
  if (name === 'socketpair') return when(first === 1 && socketAllowed(1, second, 0));
  const mode = modeArgument.get(name);
  if (!writableHostFolder || mode === undefined) return 'allow';
  const ignored = name.startsWith('open') && !creates(args[mode - 1]);
  return when(ignored || !setsId(args[mode]));
}
