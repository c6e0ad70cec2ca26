// Owns OCI spec → podman flags. Whatever a flag cannot say is said by a mount made before podman starts, or refused.
import type { CofferdamError } from '../../base/errors.ts';
import { initTarget } from '../../spec/mounts.ts';
import type { IdMapping, OciMount, OciSpec } from '../../spec/types.ts';
import { type ShellWord, variable } from '../words.ts';
import { fillIn, join } from './template.ts';

/** A mount that the script makes below `$mounts/N`; podman binds it to its place. */
export interface PreparedMount {
  readonly type: 'tmpfs' | 'bind';
  readonly source: ShellWord;
  /** Mount options in the host's ids. */
  readonly options: ShellWord;
}

export interface Lowered {
  readonly rootfs: string;
  readonly prepared: readonly PreparedMount[];
  /** podman run flags, without those that depend on the run's folder. */
  readonly flags: readonly ShellWord[];
  /** `type=bind,…` of each prepared mount, but for its source. */
  readonly targets: readonly string[];
  /** Whether the spec bounds processes by host uid; podman must be told a number in any case. */
  readonly boundsProcesses: boolean;
}

export interface LowerOptions {
  readonly cannot: (field: string, why: string) => CofferdamError;
}

/** Mounted by podman itself for every container, as the spec wants them or with less. */
const kernelMounts: Readonly<Record<string, string>> = {
  '/proc': 'proc',
  '/dev': 'tmpfs',
  '/dev/pts': 'devpts',
  '/sys': 'sysfs',
};

/** What podman mounts beside the spec: message queues, and the host's control groups. Hidden. */
const unwanted = ['/dev/mqueue', '/sys/fs/cgroup'];

/** Paths that podman makes read-only by itself (4.3 to 5.x); others can only be hidden, which is stricter. */
const readonlyByDefault = ['/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Flags that only widen or are the mount's default; the others are passed on. */
const bindFlags = ['ro', 'rw', 'nosuid', 'nodev', 'noexec'];

function isKernelMount(mount: OciMount): boolean {
  return kernelMounts[mount.destination] === mount.type;
}

function hostOption(option: string): ShellWord {
  const [, kind] = /^(uid|gid)=[0-9]+$/.exec(option) ?? [];
  // Mounted outside the sandbox's own user namespace, so in the ids that hold there.
  if (kind === 'uid') return ['uid=', variable('program_uid')];
  return kind === 'gid' ? ['gid=', variable('program_gid')] : option;
}

function prepare(mount: OciMount): PreparedMount {
  if (mount.type === 'tmpfs') {
    const options = mount.options.map(hostOption);
    const listed = options.flatMap((option, i) => (i === 0 ? [option] : [',', option]));
    return { type: 'tmpfs', source: 'tmpfs', options: join(...listed) };
  }
  const flags = mount.options.filter((option) => bindFlags.includes(option));
  return { type: 'bind', source: fillIn(mount.source), options: flags.join(',') };
}

function targetOf({ destination, options }: OciMount, { cannot }: LowerOptions): string {
  if (/[,"\n]/.test(destination))
    throw cannot(`the mount at ${destination}`, 'its options have no way to write the path');
  const flags = options.filter((option) => bindFlags.includes(option));
  return [`dst=${destination}`, ...flags, 'bind-nonrecursive'].join(',');
}

/** The launcher's variables and not the spec's numbers: those of a folder's owner are the caller's own, which has another
 * number in the namespaces that podman runs in. */
function idMapFlags({ process }: OciSpec): ShellWord[] {
  const pair = (kind: 'uid' | 'gid'): ShellWord[] => [
    `--${kind}map`,
    ['0:', variable(`root_${kind}`), ':1'],
    `--${kind}map`,
    [`${process.user[kind]}:`, variable(`program_${kind}`), ':1'],
  ];
  return [...pair('uid'), ...pair('gid')];
}

function isExpectedMap(maps: readonly IdMapping[], inside: number): boolean {
  const [root, program] = maps;
  return (
    maps.length === 2 &&
    root?.containerID === 0 &&
    program?.containerID === inside &&
    maps.every(({ size }) => size === 1)
  );
}

function processFlags({ process, hostname }: OciSpec): ShellWord[] {
  const command = process.args.slice(0, -1);
  return [
    '--hostname',
    hostname,
    '--user',
    `${process.user.uid}:${process.user.gid}`,
    '--umask',
    `0${process.user.umask.toString(8).padStart(3, '0')}`,
    '--workdir',
    process.cwd,
    '--unsetenv-all',
    ...process.env.flatMap((line): ShellWord[] => ['--env', fillIn(line)]),
    ...process.rlimits.flatMap(({ type, soft, hard }) => [
      '--ulimit',
      `${type.replace(/^RLIMIT_/, '').toLowerCase()}=${soft}:${hard}`,
    ]),
    '--entrypoint',
    JSON.stringify(command),
  ];
}

function protectionFlags({ linux, annotations }: OciSpec): ShellWord[] {
  const hidden = [
    ...linux.maskedPaths,
    ...linux.readonlyPaths.filter((path) => !readonlyByDefault.includes(path)),
    ...unwanted,
  ];
  return [
    '--cap-drop',
    'all',
    '--security-opt',
    'no-new-privileges',
    '--security-opt',
    `mask=${hidden.join(':')}`,
    ...Object.entries(annotations).flatMap(([name, value]) => ['--annotation', `${name}=${value}`]),
    '--read-only',
    '--read-only-tmpfs=false',
    ...['pid', 'ipc', 'uts', 'cgroupns'].flatMap((name) => [`--${name}`, 'private']),
    '--network',
    'none',
  ];
}

function checkShape(spec: OciSpec, { cannot }: LowerOptions): void {
  if (/[:,\\\n]/.test(spec.root.path)) throw cannot('root.path', 'an overlay has no way to write the path');
  const [init, argument] = [spec.process.args[0], spec.process.args.at(-1)];
  if (init !== initTarget || argument !== '@@ARGV@@')
    throw cannot('process.args', 'only our init and the arguments fit');
  const { user } = spec.process;
  if (!isExpectedMap(spec.linux.uidMappings, user.uid) || !isExpectedMap(spec.linux.gidMappings, user.gid)) {
    throw cannot('linux.uidMappings', 'only root inside and the program are mapped, one id each');
  }
  const owners = spec.mounts.flatMap(({ options: given }) => given.filter((option) => /^[ug]id=/.test(option)));
  if (owners.some((owner) => owner !== `uid=${user.uid}` && owner !== `gid=${user.gid}`)) {
    throw cannot('mounts', 'a tmpfs belongs to the program');
  }
  const held = Object.values(spec.process.capabilities).flat();
  if (held.length > 0) throw cannot('process.capabilities', 'only the empty set is lowered');
  const wanted = ['pid', 'ipc', 'uts', 'network', 'mount', 'cgroup', 'user'];
  const has = spec.linux.namespaces.map(({ type }) => type);
  if (wanted.some((type) => !has.includes(type))) throw cannot('linux.namespaces', 'it always makes all of them');
}

/**
 * The flags and mounts that make podman run what `spec` (a template, see template.ts) says. Pure. Throws what
 * `options.cannot` makes for a field that has no flag.
 */
export function lowerSpec(spec: OciSpec, options: LowerOptions): Lowered {
  checkShape(spec, options);
  const mounts = spec.mounts.filter((mount) => !isKernelMount(mount));
  return {
    rootfs: spec.root.path,
    prepared: mounts.map((mount) => prepare(mount)),
    targets: mounts.map((mount) => targetOf(mount, options)),
    flags: [...processFlags(spec), ...protectionFlags(spec), ...idMapFlags(spec)],
    boundsProcesses: spec.process.rlimits.some(({ type }) => type === 'RLIMIT_NPROC'),
  };
}
