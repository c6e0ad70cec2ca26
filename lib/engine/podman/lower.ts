// Owns OCI spec → podman flags. Whatever a flag cannot say is said by a mount made before podman starts, or refused.
import type { IdMapping, OciMount, OciSpec } from '../../spec/types.ts';
import { processFlags, protectionFlags } from '../flags/process.ts';
import { type Cannot, checkShape, ownMounts } from '../flags/shape.ts';
import { fillIn, join } from '../flags/template.ts';
import { type ShellWord, variable } from '../words.ts';

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
  readonly cannot: Cannot;
}

/** What podman mounts beside the spec: message queues, and the host's control groups. Hidden. */
const unwanted = ['/dev/mqueue', '/sys/fs/cgroup'];

/** Paths that podman makes read-only by itself (4.3 to 5.x); others can only be hidden, which is stricter. */
const readonlyByDefault = ['/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** Flags that only widen or are the mount's default; the others are passed on. */
const bindFlags = ['ro', 'rw', 'nosuid', 'nodev', 'noexec'];

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

function ownFlags({ process, linux, annotations }: OciSpec): ShellWord[] {
  const hidden = [
    ...linux.maskedPaths,
    ...linux.readonlyPaths.filter((path) => !readonlyByDefault.includes(path)),
    ...unwanted,
  ];
  return [
    '--umask',
    `0${process.user.umask.toString(8).padStart(3, '0')}`,
    '--unsetenv-all',
    '--entrypoint',
    JSON.stringify(process.args.slice(0, -1)),
    '--security-opt',
    `mask=${hidden.join(':')}`,
    ...Object.entries(annotations).flatMap(([name, value]) => ['--annotation', `${name}=${value}`]),
    '--read-only-tmpfs=false',
    ...['pid', 'ipc', 'uts', 'cgroupns'].flatMap((name) => [`--${name}`, 'private']),
  ];
}

function checkPlace(spec: OciSpec, { cannot }: LowerOptions): void {
  checkShape(spec, cannot);
  if (/[:,\\\n]/.test(spec.root.path)) throw cannot('root.path', 'an overlay has no way to write the path');
  const { user } = spec.process;
  if (!isExpectedMap(spec.linux.uidMappings, user.uid) || !isExpectedMap(spec.linux.gidMappings, user.gid)) {
    throw cannot('linux.uidMappings', 'only root inside and the program are mapped, one id each');
  }
}

/**
 * The flags and mounts that make podman run what `spec` (a template, see template.ts) says. Pure. Throws what
 * `options.cannot` makes for a field that has no flag.
 */
export function lowerSpec(spec: OciSpec, options: LowerOptions): Lowered {
  checkPlace(spec, options);
  const mounts = ownMounts(spec);
  return {
    rootfs: spec.root.path,
    prepared: mounts.map((mount) => prepare(mount)),
    targets: mounts.map((mount) => targetOf(mount, options)),
    flags: [...processFlags(spec), ...protectionFlags, ...ownFlags(spec), ...idMapFlags(spec)],
    boundsProcesses: spec.process.rlimits.some(({ type }) => type === 'RLIMIT_NPROC'),
  };
}
