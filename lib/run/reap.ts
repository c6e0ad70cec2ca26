// Owns freeing what dead runs left: their processes, cgroups, folders, host ids. Records say what belongs to whom.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  type Stats,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { idPattern } from '../base/ids.ts';
import { bootId, startTimeOf } from '../base/process.ts';
import type { CgroupParents } from '../engine/cgroup.ts';
import type { RunFolders } from './folders.ts';

/** What the launch script wrote before anything else of the run existed. */
export interface LiveRecord {
  readonly id: string;
  readonly pid: number;
  /** Clock ticks since boot, proc(5) field 22: with the pid it names one process. */
  readonly started: string;
  readonly bootId: string;
  readonly plan: string;
}

const recordPattern = /^1 ([A-Za-z0-9_-]{1,64}) ([0-9]{1,10}) ([0-9]{1,20}) ([0-9a-f-]{36}) ([0-9a-f]{64})\n$/;

/** A record's text, or undefined when it is not one that we wrote. */
export function parseLiveRecord(text: string): LiveRecord | undefined {
  const match = recordPattern.exec(text);
  if (match === null) return undefined;
  const [, id = '', pid = '', started = '', bootId = '', plan = ''] = match;
  return { id, pid: Number(pid), started, bootId, plan };
}

/** Whether the process that wrote the record still is that process. */
export function isAlive(record: LiveRecord, boot: string): boolean {
  return record.bootId === boot && startTimeOf(record.pid) === record.started;
}

// An empty record or slot may be one that is being written; nothing takes longer than this.
const settleMs = 10_000;

function ageMs(found: Stats, now: number): number {
  return now - found.mtimeMs;
}

function killLeaf(leaf: string): void {
  let members: string;
  try {
    members = readFileSync(join(leaf, 'cgroup.procs'), 'utf8');
  } catch {
    return;
  }
  for (const pid of members.split('\n').filter((line) => line !== '' && line !== '0')) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if (errnoOf(error) !== 'ESRCH') throw error;
    }
  }
}

/** Removes a leaf, killing what is in it; false when it would not go within a second. */
async function removeLeaf(leaf: string): Promise<boolean> {
  for (let tries = 0; tries < 50; tries++) {
    killLeaf(leaf);
    try {
      rmdirSync(leaf);
      return true;
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return true;
      if (errnoOf(error) !== 'EBUSY') throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

function slotsOf(folders: RunFolders, id: string): string[] {
  return readdirSync(folders.slots).filter((name) => {
    try {
      return readFileSync(join(folders.slots, name), 'utf8').trim() === id;
    } catch {
      return false;
    }
  });
}

async function freeRun(folders: RunFolders, cgroups: CgroupParents | undefined, id: string): Promise<boolean> {
  for (const { path } of cgroups?.folders ?? []) if (!(await removeLeaf(join(path, id)))) return false;
  rmSync(join(folders.runs, id), { recursive: true, force: true });
  // Host ids last, when nothing runs under them any more.
  for (const slot of slotsOf(folders, id)) rmSync(join(folders.slots, slot), { force: true });
  rmSync(join(folders.records, id), { force: true });
  return true;
}

function quarantine(folders: RunFolders, name: string): void {
  const place = join(folders.records, '..', 'quarantine');
  mkdirSync(place, { recursive: true, mode: 0o700 });
  renameSync(
    join(folders.records, name),
    join(place, `${name.slice(0, 64)}.${process.pid}.${process.hrtime.bigint()}`),
  );
}

export interface Reaped {
  /** Ids of runs that were freed. */
  readonly freed: readonly string[];
  /** Ids of dead runs that still hold something. */
  readonly stuck: readonly string[];
  /** Records that nobody of ours wrote, moved aside. */
  readonly quarantined: readonly string[];
}

/**
 * Frees all that dead runs of this user left. Cheap when there is nothing to do: it reads one folder. `now` in ms since
 * the epoch.
 */
export async function reapRuns(folders: RunFolders, cgroups: CgroupParents | undefined, now: number): Promise<Reaped> {
  const freed: string[] = [];
  const stuck: string[] = [];
  const quarantined: string[] = [];
  if (!existsSync(folders.records)) return { freed, stuck, quarantined };
  const boot = bootId();
  const live = new Set<string>();
  for (const name of readdirSync(folders.records)) {
    const file = join(folders.records, name);
    let found: Stats;
    let text: string;
    try {
      found = lstatSync(file);
      text = found.isFile() && found.size < 4096 ? readFileSync(file, 'utf8') : '?';
    } catch {
      continue; // It ended while we looked.
    }
    const record = parseLiveRecord(text);
    if (record === undefined || record.id !== name || !idPattern.test(name)) {
      if (ageMs(found, now) < settleMs) continue;
      // A crash can leave an empty record; what it may answer for is freed by its name, when that is an id.
      if (text === '' && idPattern.test(name)) await freeRun(folders, cgroups, name);
      else quarantine(folders, name);
      quarantined.push(name);
    } else if (isAlive(record, boot)) live.add(record.id);
    else (await freeRun(folders, cgroups, record.id)) ? freed.push(record.id) : stuck.push(record.id);
  }
  freeOrphanSlots(folders, live, stuck, now);
  return { freed, stuck, quarantined };
}

function freeOrphanSlots(folders: RunFolders, live: ReadonlySet<string>, stuck: readonly string[], now: number): void {
  for (const name of readdirSync(folders.slots)) {
    const file = join(folders.slots, name);
    try {
      if (ageMs(lstatSync(file), now) < settleMs) continue;
      const owner = readFileSync(file, 'utf8').trim();
      if (!live.has(owner) && !stuck.includes(owner) && !existsSync(join(folders.records, owner)))
        rmSync(file, { force: true });
    } catch {
      // Freed by its run while we looked.
    }
  }
}
