// Owns freeing all that dead runs left: what they held, folders they wrote to, half-made copies.
import { existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { idPattern } from '../base/ids.ts';
import type { CgroupParents } from '../engine/cgroup.ts';
import { sweepClaims } from './claims.ts';
import { removeCopy } from './copy.ts';
import { type RunFolders, runFolders } from './folders.ts';
import { type Reaped, reapRuns } from './reap.ts';
import { type CompleteHost, completeDue } from './receipt/complete.ts';
import type { SetAside } from './setAside.ts';

export interface Leftovers extends Reaped {
  /** What killed runs had put into writable folders and would have run on this host. */
  readonly setAside: readonly SetAside[];
  /** Ids of copies of workspaces whose making was killed. */
  readonly copies: readonly string[];
}

// A copy gets its meta.json last, and its run a record after that; before, the maker is alive and newer than this, ms.
const copySettleMs = 3_600_000;

async function removeHalfCopies(folders: RunFolders, now: number): Promise<string[]> {
  if (!existsSync(folders.copies)) return [];
  const removed: string[] = [];
  for (const entry of readdirSync(folders.copies, { withFileTypes: true })) {
    const folder = join(folders.copies, entry.name);
    if (!entry.isDirectory() || !idPattern.test(entry.name) || existsSync(join(folder, 'meta.json'))) continue;
    if (now - lstatSync(folder).ctimeMs < copySettleMs) continue;
    await removeCopy({ folder }, new AbortController().signal);
    removed.push(entry.name);
  }
  return removed;
}

/**
 * Frees what dead runs of this user left; cheap when there is nothing. Their receipts are made first, while their records still
 * stand; folders are looked through only after what wrote to them is gone. `now` in ms since the epoch. Throws what
 * completeDue throws, after everything is freed.
 */
export async function freeLeftovers(host: CompleteHost, cgroups: CgroupParents, now: number): Promise<Leftovers> {
  const { paths } = host;
  const folders = runFolders(paths);
  const failed = await completeDue(host, now).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const reaped = await reapRuns(folders, cgroups, now);
  const setAside = await sweepClaims({
    claims: join(paths.state, 'claims'),
    destination: join(paths.state, 'set-aside'),
    // What a killed run left is looked through even when this call is cancelled.
    signal: new AbortController().signal,
  });
  const copies = await removeHalfCopies(folders, now);
  if (failed !== undefined) throw failed.error;
  return { ...reaped, setAside, copies };
}
