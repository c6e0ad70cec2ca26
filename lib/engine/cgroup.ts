// Owns cgroups: where a sandbox's leaf stands, what is written into it, and what must read back. v1 and v2.
import { existsSync } from 'node:fs';
import { CofferdamError } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import type { Profile } from '../profile/schema.ts';

export interface CgroupParents {
  readonly version: 1 | 2;
  /** Folders under which the launcher makes its leaf: v1 one per controller (memory, pids, cpu), v2 one. */
  readonly folders: readonly { readonly controllers: readonly string[]; readonly path: string }[];
  /** Whether swap is accounted, so that memory and swap can be bounded together. */
  readonly swap: boolean;
}

const wanted = ['memory', 'pids', 'cpu'] as const;
type Controller = (typeof wanted)[number];

/** Mount point of each v1 controller, and of the v2 hierarchy, from the text of /proc/self/mountinfo (proc(5)). */
export function parseCgroupMounts(mountinfo: string): { v1: Map<string, string>; v2: string | undefined } {
  const v1 = new Map<string, string>();
  let v2: string | undefined;
  for (const line of mountinfo.split('\n')) {
    const [left, right] = line.split(' - ');
    const point = left?.split(' ')[4];
    const [type, , options] = right?.split(' ') ?? [];
    if (point === undefined) continue;
    if (type === 'cgroup2') v2 ??= point;
    if (type !== 'cgroup') continue;
    for (const option of options?.split(',') ?? []) if (!v1.has(option)) v1.set(option, point);
  }
  return { v1, v2 };
}

/** Where leaves of `uid` go on this host, existing or not. Throws HOST_UNPREPARED without the three controllers. */
export function locateCgroups(uid: number, mountinfo = readTextIfPresent('/proc/self/mountinfo') ?? ''): CgroupParents {
  const { v1, v2 } = parseCgroupMounts(mountinfo);
  const missing = wanted.filter((controller) => !v1.has(controller));
  if (missing.length === 0) {
    const folders = wanted.map((controller) => ({
      controllers: [controller],
      path: `${v1.get(controller)}/cofferdam/${uid}`,
    }));
    return { version: 1, folders, swap: existsSync(`${v1.get('memory')}/memory.memsw.limit_in_bytes`) };
  }
  if (v2 !== undefined && missing.length === wanted.length) {
    return { version: 2, folders: [{ controllers: [...wanted], path: `${v2}/cofferdam/${uid}` }], swap: true };
  }
  throw new CofferdamError('HOST_UNPREPARED', `this host has no ${missing.join(', ')} cgroup controller`, {
    remedy: 'mount the cgroup controllers, or boot with cgroup v2; see: sandbox doctor',
  });
}

export interface LeafWrite {
  /** Path below the leaf of the controller it belongs to. */
  readonly file: string;
  readonly controller: Controller;
  readonly value: string;
}

const pageSize = 4096;
const period = 100_000;

/** What is written into a leaf, in order (v1: memory before memory+swap); each must read back as it is written here. */
export function leafWrites(version: 1 | 2, limits: Profile['limits']): LeafWrite[] {
  // The kernel rounds down to whole pages, and a limit must read back exactly.
  const memory = String(Math.floor(limits.memory / pageSize) * pageSize);
  const quota = String(Math.max(1000, Math.round(limits.cpus * period)));
  const pids = String(limits.pids);
  if (version === 1) {
    return [
      { controller: 'memory', file: 'memory.limit_in_bytes', value: memory },
      { controller: 'memory', file: 'memory.memsw.limit_in_bytes', value: memory },
      { controller: 'pids', file: 'pids.max', value: pids },
      { controller: 'cpu', file: 'cpu.cfs_period_us', value: String(period) },
      { controller: 'cpu', file: 'cpu.cfs_quota_us', value: quota },
    ];
  }
  return [
    { controller: 'memory', file: 'memory.max', value: memory },
    { controller: 'memory', file: 'memory.swap.max', value: '0' },
    { controller: 'memory', file: 'memory.oom.group', value: '1' },
    { controller: 'pids', file: 'pids.max', value: pids },
    { controller: 'cpu', file: 'cpu.max', value: `${quota} ${period}` },
  ];
}

/** The folder that holds the leaves of `controller`. */
export function parentOf(parents: CgroupParents, controller: Controller): string {
  const folder = parents.folders.find(({ controllers }) => controllers.includes(controller));
  if (folder === undefined) throw new RangeError(controller);
  return folder.path;
}

/** File below the memory leaf whose line `oom_kill N` counts kernel kills (v1 since Linux 4.13; cgroup-v2). */
export function oomFile(version: 1 | 2): string {
  return version === 1 ? 'memory.oom_control' : 'memory.events';
}
