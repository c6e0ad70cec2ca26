// Owns what is mounted inside, in order. Sizes are the profile's; every source is a fixed path of ours or was checked before.
import { basename, dirname } from 'node:path';
import type { Profile } from '../profile/schema.ts';
import type { OciMount } from './types.ts';

export interface WorkspaceSource {
  readonly mode: 'scratch' | 'ro' | 'rw' | 'copy';
  /** Host folder of ro, rw and copy; a placeholder in a plan. */
  readonly source: string;
  /** Paths below the workspace that run code on the host later: mounted read-only over a writable folder. */
  readonly guarded: readonly string[];
}

export interface MountRequest {
  readonly profile: Profile;
  /** Host path of our init. */
  readonly init: string;
  readonly workspace: WorkspaceSource;
  /** Host folder (a tmpfs of the run) that becomes /artifacts; undefined: a private tmpfs that dies with the sandbox. */
  readonly artifacts: string | undefined;
  /** Host folder that holds the socket of the way out, and nothing else; undefined: there is none. */
  readonly wayOut: string | undefined;
}

/** Where our init stands inside; images have an empty file there. */
export const initTarget = '/.cofferdam/init';

/** Where the folder with the socket of the way out stands inside; images have an empty folder there. */
export const wayOutTarget = '/proxy-sock';

function tmpfs(
  destination: string,
  owner: { uid: number; gid: number } | undefined,
  options: readonly string[],
): OciMount {
  const who = owner === undefined ? [] : [`uid=${owner.uid}`, `gid=${owner.gid}`];
  return { destination, type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'nodev', ...options, ...who] };
}

/** A bind mount with the flags that hold everywhere; `options` says `ro` or `rw`, and what else. */
export function bind(source: string, destination: string, options: readonly string[]): OciMount {
  // crun 1.8.1, run by root, drops these flags of a writable bind; the r… ones it sets by mount_setattr(2) hold, for folders.
  const again = options.includes('rw')
    ? ['nosuid', 'nodev', ...options].filter((option) => option.startsWith('no'))
    : [];
  // Not recursive: what is mounted below a host folder does not come along. Private: nor what is mounted there later (crun, run
  // by root, takes the mount from the host's own tree, and on a systemd host that is shared).
  return {
    destination,
    type: 'none',
    source,
    options: ['bind', 'private', 'nosuid', 'nodev', ...options, ...again.map((option) => `r${option}`)],
  };
}

function bounded(bytes: number, inodes: number, mode: string): string[] {
  return [`size=${bytes}`, `nr_inodes=${inodes}`, `mode=${mode}`];
}

function kernelMounts(): OciMount[] {
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    tmpfs('/dev', undefined, ['noexec', 'strictatime', 'mode=755', 'size=64k', 'nr_inodes=256']),
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', 'ro'] },
  ];
}

// Read-only below a writable folder. A `.git` that holds one is mounted onto itself, because a folder that merely contains a
// mount point can be renamed, and a mount point cannot (rename(2), EBUSY).
function guardMounts({ source, guarded }: WorkspaceSource): OciMount[] {
  const repositories = new Set(guarded.map(dirname).filter((folder) => basename(folder) === '.git'));
  const mount = (path: string, access: string) => bind(`${source}/${path}`, `/workspace/${path}`, [access]);
  return [...[...repositories].map((path) => mount(path, 'rw')), ...guarded.map((path) => mount(path, 'ro'))];
}

function workspaceMounts({ profile, workspace }: MountRequest): OciMount[] {
  const { user } = profile;
  const scratch = bounded(profile.workspace.size, profile.workspace.inodes, '0755');
  // TMPDIR in it is made by our init (lib/run/native/init): every file system of its own costs all starts of the host.
  if (workspace.mode === 'scratch') return [tmpfs('/workspace', user, scratch)];
  const access = workspace.mode === 'ro' ? 'ro' : 'rw';
  return [
    bind(workspace.source, '/workspace', [access]),
    ...(workspace.mode === 'rw' ? guardMounts(workspace) : []),
    tmpfs('/sandbox', user, scratch),
  ];
}

/** All mounts of a sandbox. Order matters: a parent stands before what is mounted below it. */
export function buildMounts(request: MountRequest): OciMount[] {
  const { profile } = request;
  const { user, tmpfs: sizes, artifacts } = profile;
  return [
    ...kernelMounts(),
    tmpfs('/dev/shm', user, ['noexec', ...bounded(sizes.tmp, sizes.inodes, '0700')]),
    tmpfs('/tmp', user, ['noexec', ...bounded(sizes.tmp, sizes.inodes, '0700')]),
    tmpfs('/run', user, ['noexec', ...bounded(sizes.run, sizes.inodes, '0755')]),
    ...workspaceMounts(request),
    request.artifacts === undefined
      ? tmpfs('/artifacts', user, ['noexec', ...bounded(artifacts.size, artifacts.maxCount + 1024, '0755')])
      : bind(request.artifacts, '/artifacts', ['noexec', 'rw']),
    ...profile.mounts.map((mount) => bind(mount.source, mount.target, [mount.mode])),
    ...(request.wayOut === undefined ? [] : [bind(request.wayOut, wayOutTarget, ['ro', 'noexec'])]),
    bind(request.init, initTarget, ['ro']),
  ];
}

/** Where HOME and TMPDIR point: with a host folder beside it, so that no cache lands there and `ro` works. */
export function writablePlaces(mode: WorkspaceSource['mode']): { home: string; temporary: string } {
  return mode === 'scratch'
    ? { home: '/workspace', temporary: '/workspace/.tmp' }
    : { home: '/sandbox', temporary: '/sandbox' };
}
