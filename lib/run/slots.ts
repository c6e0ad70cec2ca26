// Owns giving back the host ids of dead runs: one file per slot, which names the run that has it.
import { type BigIntStats, rmSync } from 'node:fs';
import { idPattern } from '../base/ids.ts';
import type { BytePath } from './beneath.ts';
import { listNames, pathOf, readOwnFile } from './ownFiles.ts';

const mostBytes = 128;

export interface Slot {
  readonly name: BytePath;
  /** Id of the run; empty when the launcher came no further than making the file; undefined when it is not ours. */
  readonly owner: string | undefined;
  readonly why: string;
  readonly found: BigIntStats;
}

/** All slots, as they are now. */
export function listSlots(slots: string): Slot[] {
  return listNames(slots).flatMap((name): Slot[] => {
    const read = readOwnFile(pathOf(slots, name), mostBytes);
    if (read.kind === 'gone') return [];
    const { found } = read;
    if (read.kind === 'foreign') return [{ name, owner: undefined, why: read.why, found }];
    const owner = read.text.replace(/\n$/, '');
    if (!/^[0-9]{1,10}$/.test(name)) return [{ name, owner: undefined, why: 'has no number as its name', found }];
    if (owner === '' || idPattern.test(owner)) return [{ name, owner, why: '', found }];
    return [{ name, owner: undefined, why: 'names no run', found }];
  });
}

function isSame(slots: string, { name, found }: Slot): boolean {
  const now = readOwnFile(pathOf(slots, name), mostBytes);
  return now.kind !== 'gone' && now.found.ino === found.ino && now.found.ctimeNs === found.ctimeNs;
}

/**
 * Gives back what run `id` has of the slots that were listed. It must be dead, and still have its record, so that nobody
 * else starts under its id meanwhile.
 */
export function freeSlots(slots: string, listed: readonly Slot[], id: string): void {
  for (const slot of listed) if (slot.owner === id && isSame(slots, slot)) rmSync(pathOf(slots, slot.name));
}

export interface OrphanRequest {
  readonly slots: string;
  /** From listSlots, *before* the records were listed: a slot's run had its record earlier, so what has none is over. */
  readonly listed: readonly Slot[];
  /** Ids that have a record. */
  readonly recorded: ReadonlySet<string>;
}

/**
 * Slots whose run has no record any more, and those that say no run, when every recorded run has another one: a damaged
 * slot could be that of a run which lives, and its host ids are lent to nobody else until that is over. To be called under
 * the lock of the records.
 */
export function findOrphanSlots({ slots, listed, recorded }: OrphanRequest): Slot[] {
  const owners = new Set(listed.map(({ owner }) => owner));
  const complete = [...recorded].every((id) => owners.has(id));
  return listed.filter((slot) => {
    const { owner } = slot;
    const over = owner === undefined || owner === '' ? complete : !recorded.has(owner);
    return over && isSame(slots, slot);
  });
}
