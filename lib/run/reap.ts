// Owns freeing what dead runs left: their processes, cgroups, folders, host ids. Records say what belongs to whom.
import { existsSync, lstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/errors.ts';
import { idPattern } from '../base/ids.ts';
import { takeFolderLock } from '../base/lock.ts';
import { printable } from '../base/printable.ts';
import { bootId } from '../base/process.ts';
import type { CgroupParents } from '../engine/cgroup.ts';
import { type BytePath, showPath } from './beneath.ts';
import { removeTree } from './copyTree.ts';
import type { RunFolders } from './folders.ts';
import { hasMembers, plannedParents, removeLeaf } from './leaves.ts';
import { isAlive, type LiveRecord, mostRecordBytes, parseLiveRecord } from './liveRecord.ts';
import { unmountBelow } from './mounts.ts';
import { ageMs, listNames, moveAside, pathOf, type Quarantined, readOwnFile, type Stuck } from './ownFiles.ts';
import { findOrphanSlots, freeSlots, listSlots, type Slot } from './slots.ts';

export interface Reaped {
  /** Ids of runs that were freed. */
  readonly freed: readonly string[];
  /** What still holds something. */
  readonly stuck: readonly Stuck[];
  /** What stood in our folders and is not of our making, moved aside. */
  readonly quarantined: readonly Quarantined[];
  /** Slots without a run. */
  readonly slots: number;
}

interface Request {
  readonly folders: RunFolders;
  /** Folders below which this user's leaves stand now. */
  readonly parents: readonly string[];
  /** Where what is not ours goes. */
  readonly quarantine: string;
  readonly now: number;
}

/** A launcher writes the bundle beside the folder of its run, which is made later and takes it in. */
const bundleEnd = '.json';

// A record that says nothing may be one that is being written; nothing takes longer than this.
const settleMs = 10_000;

interface Damaged {
  readonly name: BytePath;
  readonly why: string;
  /** Made, and nothing written: a launcher was killed between the two. */
  readonly empty: boolean;
}

interface Found {
  /** Ids of runs that live, or whose record is being written. */
  readonly live: Set<string>;
  readonly dead: readonly LiveRecord[];
  readonly damaged: readonly Damaged[];
}

function judge(name: BytePath, read: Exclude<ReturnType<typeof readOwnFile>, { kind: 'gone' }>): LiveRecord | Damaged {
  if (read.kind === 'foreign') return { name, why: read.why, empty: false };
  const record = parseLiveRecord(read.text);
  if (record?.id === name) return record;
  const why = record === undefined ? 'is no record of this version' : 'is the record of another run';
  return { name, why, empty: read.text === '' };
}

function findRecords({ folders, now }: Request): Found {
  const boot = bootId();
  const live = new Set<string>();
  const dead: LiveRecord[] = [];
  const damaged: Damaged[] = [];
  for (const name of listNames(folders.records)) {
    const read = readOwnFile(pathOf(folders.records, name), mostRecordBytes);
    if (read.kind === 'gone') continue;
    const judged = judge(name, read);
    if ('id' in judged) {
      if (isAlive(judged, boot)) live.add(name);
      else dead.push(judged);
    } else if (ageMs(read.found, now) < settleMs) live.add(name);
    else damaged.push(judged);
  }
  return { live, dead, damaged };
}

async function removeRunFolder(folder: string | Buffer): Promise<void> {
  if (lstatSync(folder, { throwIfNoEntry: false }) === undefined) return;
  await unmountBelow(String(folder));
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // A guest's files, or folders that an engine closed by their modes.
    await removeTree(String(folder), new AbortController().signal);
  }
}

class Reaping {
  readonly freed: string[] = [];
  readonly stuck: Stuck[] = [];
  readonly quarantined: Quarantined[] = [];
  slots = 0;
  private readonly request: Request;
  private readonly listed: readonly Slot[];

  constructor(request: Request, listed: readonly Slot[]) {
    this.request = request;
    this.listed = listed;
  }

  /** Frees one run by its id and gives why not. Host ids last, when nothing runs under them any more; the record is left. */
  private async freeRun(id: string, parents: readonly string[]): Promise<string | undefined> {
    const { folders } = this.request;
    try {
      for (const leaf of new Set(parents.map((parent) => join(parent, id))))
        if (!(await removeLeaf(leaf))) return `processes are left in ${leaf}`;
      await removeRunFolder(join(folders.runs, id));
      rmSync(join(folders.runs, `${id}${bundleEnd}`), { force: true });
      freeSlots(folders.slots, this.listed, id);
      return undefined;
    } catch (error) {
      return printable(messageOf(error), 400);
    }
  }

  private recordOf(name: BytePath): Buffer {
    return pathOf(this.request.folders.records, name);
  }

  async freeDead({ id, plan }: LiveRecord): Promise<void> {
    const { folders, parents } = this.request;
    const why = await this.freeRun(id, [...parents, ...plannedParents(folders.plans, plan)]);
    if (why !== undefined) {
      this.stuck.push({ id, why });
      return;
    }
    rmSync(this.recordOf(id), { force: true });
    this.freed.push(id);
  }

  /**
   * What a damaged record may answer for is freed by its name, when that is an id. Whether its run lives nobody can tell,
   * but a guest dies with its launcher: while there is one, all stays as it is.
   */
  async freeDamaged({ name, why, empty }: Damaged): Promise<void> {
    const { folders, parents, quarantine } = this.request;
    if (idPattern.test(name)) {
      const lives = parents.some((parent) => hasMembers(join(parent, name)));
      const held = lives ? 'processes of its run live' : await this.freeRun(name, parents);
      if (held !== undefined) {
        this.stuck.push({ id: name, why: `the record ${why}, and ${held}` });
        return;
      }
    }
    if (empty) {
      rmSync(this.recordOf(name), { force: true });
      this.freed.push(showPath(name));
    } else this.setAside(folders.records, name, why, () => moveAside(quarantine, folders.records, name));
  }

  private setAside(folder: string, name: BytePath, why: string, move: () => string): void {
    const file = `${folder}/${showPath(name)}`;
    try {
      this.quarantined.push({ file, why, kept: move() });
    } catch (error) {
      this.stuck.push({ id: showPath(name), why: `${why}, and cannot be moved aside: ${printable(messageOf(error))}` });
    }
  }

  /** What has no record: `runs` was listed before the records were. */
  async freeOrphans(runs: readonly BytePath[], recorded: ReadonlySet<string>): Promise<void> {
    const { folders, quarantine } = this.request;
    const idOf = (name: BytePath) => (name.endsWith(bundleEnd) ? name.slice(0, -bundleEnd.length) : name);
    // What was freed may stand there once more, for a new run of that id.
    const known = new Set([...recorded, ...this.freed]);
    for (const name of runs.filter((name) => !known.has(idOf(name))))
      await removeRunFolder(pathOf(folders.runs, name)).catch((error: unknown) =>
        this.stuck.push({ id: showPath(name), why: printable(messageOf(error), 400) }),
      );
    for (const slot of findOrphanSlots({ slots: folders.slots, listed: this.listed, recorded })) {
      if (slot.owner === undefined)
        this.setAside(folders.slots, slot.name, slot.why, () => moveAside(quarantine, folders.slots, slot.name));
      else {
        rmSync(pathOf(folders.slots, slot.name), { force: true });
        this.slots += 1;
      }
    }
  }
}

function isIdle({ folders }: Request, { live, dead, damaged }: Found): boolean {
  // A run has one slot and one folder, so no more than runs are no orphans; what hides behind a run that starts waits.
  const most = (folder: string) => listNames(folder).length <= live.size;
  return dead.length === 0 && damaged.length === 0 && most(folders.slots) && most(folders.runs);
}

/**
 * Frees all that dead runs of this user left. Without any it lists three folders and looks each record's process up. What
 * cannot be freed is told and keeps nothing else from being freed. `cgroups`: where leaves stand now, as far as it is known;
 * `now` in ms since the epoch. Throws TOOL_FAILED when others hold the lock for minutes.
 */
export async function reapRuns(folders: RunFolders, cgroups: CgroupParents | undefined, now: number): Promise<Reaped> {
  const parents = cgroups?.folders.map(({ path }) => path) ?? [];
  const request = { folders, parents, quarantine: join(folders.records, '..', 'quarantine'), now };
  const nothing = { freed: [], stuck: [], quarantined: [], slots: 0 };
  if (!existsSync(folders.records) || isIdle(request, findRecords(request))) return nothing;
  // One at a time: an id or a slot that one has freed may be taken again, and is no longer the other's to free.
  const lock = await takeFolderLock(folders.records);
  try {
    const reaping = new Reaping(request, listSlots(folders.slots));
    const runs = listNames(folders.runs);
    const { live, dead, damaged } = findRecords(request);
    for (const record of dead) await reaping.freeDead(record);
    for (const record of damaged) await reaping.freeDamaged(record);
    const { freed, stuck, quarantined } = reaping;
    await reaping.freeOrphans(runs, new Set([...live, ...stuck.map(({ id }) => id)]));
    return { freed, stuck, quarantined, slots: reaping.slots };
  } finally {
    lock.release();
  }
}
