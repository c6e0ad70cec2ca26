// Owns what a run's control group is: its parents, what is written into a leaf, what must read back. v1 and v2.
import type { Profile } from '../profile/schema.ts';

export interface CgroupParents {
  readonly version: 1 | 2;
  /** Folders under which the launcher makes its leaf: v1 one per controller (memory, pids, cpu; the freezer where it is had), v2 one. */
  readonly folders: readonly { readonly controllers: readonly LeafController[]; readonly path: string }[];
  /** v2 under systemd: the delegated unit that the folder is of. */
  readonly unit?: CgroupUnit;
}

/** A unit of systemd whose groups are ours to make (systemd.resource-control(5), Delegate=). */
export interface CgroupUnit {
  /** `own`: the caller runs in it. `runs`: ours, kept for callers who have none. */
  readonly kind: 'own' | 'runs';
  readonly name: string;
  /** Private socket of the user's systemd, which alone may move a process out of a login session. Root needs nobody. */
  readonly manager?: string;
  /** Groups whose processes may use it, as /proc/self/cgroup names them after `0::`; `below` includes all under it. */
  readonly callers: readonly { readonly group: string; readonly below: boolean }[];
}

/** What every run is bounded by. */
export const controllers = ['memory', 'pids', 'cpu'] as const;
export type Controller = (typeof controllers)[number];

/**
 * The freezer bounds nothing: without it a run can be had, and not paused. v2 has it in every group. It comes first, because on v1
 * nothing that is frozen dies: who empties leaves in this order thaws before anything else.
 */
export const leafControllers = ['freezer', ...controllers] as const;
export type LeafController = (typeof leafControllers)[number];

/** Whether a folder is needed for limits. */
export function boundsRuns(folder: CgroupParents['folders'][number]): boolean {
  return folder.controllers.some((controller) => controller !== 'freezer');
}

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

/** The folder that holds the leaves of `controller`; undefined where a best effort goes without. */
export function parentOf(parents: CgroupParents, controller: LeafController): string | undefined {
  return parents.folders.find((folder) => folder.controllers.includes(controller))?.path;
}

/** File below the memory leaf whose line `oom_kill N` counts kernel kills (v1 since Linux 4.13; cgroup-v2). */
export function oomFile(version: 1 | 2): string {
  return version === 1 ? 'memory.oom_control' : 'memory.events';
}

/** File below the pids leaf whose line `max N` counts refused forks, in both versions. */
export const pidsFile = 'pids.events';

/** Bounds swap; on a kernel that does not count swap it is missing, and then the host may have none. */
export function boundsSwap(file: string): boolean {
  return file.includes('memsw') || file.includes('swap');
}
