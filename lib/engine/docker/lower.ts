// Owns OCI spec → `docker create`. Limits are those of the run's own control groups, into which the container is moved.
import { lstatSync } from 'node:fs';
import { join } from 'node:path';
import { initTarget } from '../../spec/mounts.ts';
import type { OciSpec } from '../../spec/types.ts';
import { maskFlags, mountFlags } from '../flags/mounts.ts';
import { processFlags, protectionFlags } from '../flags/process.ts';
import { type Cannot, checkShape } from '../flags/shape.ts';
import { type ShellWord, variable } from '../words.ts';

/** Where the container waits for us; a fifo that it can only read. */
export const gateTarget = '/.cofferdam/gate';

/** Mounted beside the spec: docker would write its own, with the host's name servers. */
const namedFiles = ['/etc/hosts', '/etc/hostname', '/etc/resolv.conf'] as const;

/** What docker mounts by itself, hidden: message queues, and the host's control groups. */
const unwanted = ['/dev/mqueue', '/sys/fs/cgroup'];

/** Mounts in a docker sandbox that the spec does not list; all are read-only. */
export const extraTargets: readonly string[] = [gateTarget, ...namedFiles, ...unwanted];

export interface DockerCommand {
  readonly flags: readonly ShellWord[];
  /** What stands before the program's arguments. */
  readonly before: readonly string[];
}

/** In the run's folder. */
export const ownFolder = 'docker';

/** What of the host and the image the flags depend on. */
export interface Looks {
  isFolder(path: string): boolean;
  isFile(path: string): boolean;
}

const looksHere: Looks = {
  isFolder: (path) => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === true,
  isFile: (path) => lstatSync(path, { throwIfNoEntry: false })?.isFile() === true,
};

function nameFlags(rootfs: string, cannot: Cannot, { isFile }: Looks): ShellWord[] {
  return namedFiles.flatMap((path): ShellWord[] => {
    const source = join(rootfs, path);
    if (!isFile(source) || /[",\n]/.test(source)) throw cannot(path, 'the image has no such file');
    return ['--mount', `type=bind,src=${source},dst=${path},readonly,bind-propagation=private`];
  });
}

// libnetwork switches it off, and with it ::1, where programs of a sandbox may listen.
function loopbackFlags({ isFile }: Looks): ShellWord[] {
  const names = ['all', 'default', 'lo'].map((name) => `net.ipv6.conf.${name}.disable_ipv6`);
  const here = names.filter((name) => isFile(`/proc/sys/${name.replaceAll('.', '/')}`));
  return here.flatMap((name) => ['--sysctl', `${name}=0`]);
}

// What docker's flags cannot set. A shell, because tini starts the program at once.
const waiting = `umask 0022; unset PWD OLDPWD; read -r go <${gateTarget}; [ "$go" = go ] || exit 125; exec "$@"`;

/** Everything that a daemon's own defaults could change is said. */
const fixed: readonly ShellWord[] = [
  '--interactive',
  '--rm',
  '--no-healthcheck',
  '--pull',
  'never',
  '--init=false',
  '--runtime',
  'runc',
  '--ipc',
  'private',
  '--cgroupns',
  'private',
  '--log-driver',
  'none',
  '--restart',
  'no',
  // Without a value: docker adds it, and takes it away again.
  '--env',
  'HOSTNAME',
  '--entrypoint',
  initTarget,
];

/** The spec without what docker's one map of ids for all containers makes meaningless. */
export function confineByDocker(spec: OciSpec): OciSpec {
  // A bound by uid would count the processes of all sandboxes. pids.max is the wall.
  const rlimits = spec.process.rlimits.filter(({ type }) => type !== 'RLIMIT_NPROC');
  return { ...spec, process: { ...spec.process, rlimits } };
}

/** The flags for `spec` (a template). Throws what `cannot` makes. */
export function lowerForDocker(spec: OciSpec, cannot: Cannot, looks: Looks = looksHere): DockerCommand {
  checkShape(spec, cannot);
  // runc makes no mount point in /sys, and takes none in /proc.
  const maskable = spec.linux.maskedPaths.filter((path) => path.startsWith('/sys/') && looks.isFolder(path));
  const own = [variable('run_dir'), `/${ownFolder}`] as const;
  const bound = { workspace: [...own, '/workspace'], wayOut: [...own, '/way-out'] };
  return {
    flags: [
      ...fixed,
      ...processFlags(spec),
      ...protectionFlags,
      ...mountFlags(spec, { cannot, ...bound }),
      ...loopbackFlags(looks),
      ...nameFlags(spec.root.path, cannot, looks),
      ...maskFlags([...unwanted, ...maskable]),
      '--mount',
      ['type=bind,src=', ...own, `/gate,dst=${gateTarget},readonly,bind-propagation=private`],
    ],
    before: [...spec.process.args.slice(1, -1), '/bin/sh', '-c', waiting, 'sh'],
  };
}
