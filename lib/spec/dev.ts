// Owns what a sandbox with a bundle of ours sees of /dev: an outline that nobody writes to, with six nodes of the host, and no file system.
import { createHash } from 'node:crypto';
import { bind } from './mounts.ts';
import type { OciMount } from './types.ts';

/** Device nodes of the host that are bound one by one. */
export const deviceNodes = ['null', 'zero', 'full', 'tty', 'random', 'urandom'] as const;

/** Where shared memory lies: a folder that our init makes (lib/run/native/init), to which /dev/shm leads. */
export const sharedMemory = '/run/shm';

/** Names in a folder of ours and what they are; no others are in it. */
export interface Outline {
  /** Below the folder, each with its parents. */
  readonly folders: readonly string[];
  /** Empty ones, on which something is mounted. */
  readonly files: readonly string[];
  /** Name → where it leads. */
  readonly links: Readonly<Record<string, string>>;
}

/** `console` is where crun mounts the program's terminal. */
export const devOutline: Outline = {
  folders: ['pts'],
  files: [...deviceNodes, 'console'],
  links: {
    core: '/proc/kcore',
    fd: '/proc/self/fd',
    ptmx: 'pts/ptmx',
    shm: sharedMemory,
    stderr: '/proc/self/fd/2',
    stdin: '/proc/self/fd/0',
    stdout: '/proc/self/fd/1',
  },
};

/** Name of the folder: another version has another outline, and another name. */
export function devFolder(): string {
  return `dev-${createHash('sha256').update(JSON.stringify(devOutline)).digest('hex').slice(0, 8)}`;
}

function bound(mount: OciMount, name: string): number {
  const option = mount.options.find((text) => text.startsWith(`${name}=`));
  if (option === undefined) throw new Error(`${mount.destination} has no ${name}`);
  return Number(option.slice(name.length + 1));
}

/** /run as it is when it holds shared memory, too: both bounds are the sums. */
function withShared(run: OciMount, shared: OciMount): OciMount {
  const options = run.options.map((option) => {
    const name = ['size', 'nr_inodes'].find((text) => option.startsWith(`${text}=`));
    return name === undefined ? option : `${name}=${bound(run, name) + bound(shared, name)}`;
  });
  return { ...run, options };
}

/**
 * The mounts of a spec without the file systems of /dev and /dev/shm; `dev` is the host's folder of the outline. devpts stays. A
 * runtime that finds /dev to be a bind mount puts nothing in it itself.
 */
export function outlineDev(mounts: readonly OciMount[], dev: string): OciMount[] {
  const shared = mounts.find(({ destination }) => destination === '/dev/shm');
  if (shared === undefined) throw new Error('nothing is mounted on /dev/shm');
  const nodes = deviceNodes.map((name): OciMount => {
    const path = `/dev/${name}`;
    return { destination: path, type: 'none', source: path, options: ['bind', 'private', 'nosuid', 'noexec', 'rw'] };
  });
  return mounts
    .filter((mount) => mount !== shared)
    .flatMap((mount) => {
      if (mount.destination === '/dev') return [bind(dev, '/dev', ['ro', 'noexec']), ...nodes];
      return mount.destination === '/run' ? [withShared(mount, shared)] : [mount];
    });
}
