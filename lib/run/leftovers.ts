// Owns freeing all that dead runs left: what they held, folders they wrote to, half-made copies.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { idPattern } from '../base/ids.ts';
import type { CgroupParents } from '../engine/cgroup.ts';
import { sweepClaims, sweepFolders } from './claimSweep.ts';
import { removeCopy } from './copy.ts';
import { judgeCopies } from './copyFaults.ts';
import { type RunFolders, runFolders } from './folders.ts';
import { sweepHalves } from './halves.ts';
import { sweepUsedWays } from './life/usedWay.ts';
import { type Reaped, reapRuns } from './reap.ts';
import { isAwaited, sweepAwaited } from './receipt/awaited.ts';
import { type CompleteHost, completeDue } from './receipt/complete.ts';
import type { SetAside } from './setAside.ts';

export interface Leftovers extends Reaped {
  /** What killed runs had put into writable folders and would have run on this host. */
  readonly setAside: readonly SetAside[];
  /** Ids of copies of workspaces whose making was killed. */
  readonly copies: readonly string[];
  /** Files and folders that a killed process was writing. */
  readonly halves: readonly string[];
}

export interface LeftoversRequest {
  /** Where leaves stand now, as far as it is known. */
  readonly cgroups: CgroupParents | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Also what takes a look at every copy and plan, and what a person must be told: `sandbox gc`. */
  readonly thorough: boolean;
}

// A copy gets its meta.json last. Who makes it said before that the run is its own (lib/run/receipt/awaited.ts): while that
// process lives, so does the copy.
async function removeHalfCopies(folders: RunFolders): Promise<string[]> {
  if (!existsSync(folders.copies)) return [];
  const removed: string[] = [];
  for (const entry of readdirSync(folders.copies, { withFileTypes: true })) {
    const folder = join(folders.copies, entry.name);
    if (!entry.isDirectory() || !idPattern.test(entry.name)) continue;
    // In this order: a maker that ends in between has written it.
    if (isAwaited(folders.awaited, entry.name) || existsSync(join(folder, 'meta.json'))) continue;
    await removeCopy({ folder }, new AbortController().signal);
    removed.push(entry.name);
  }
  return removed;
}

/** As freeLeftovers, before a start: tells `notice` what a person should know. */
export async function freeBeforeStart(
  host: CompleteHost & { readonly notice: (text: string) => void },
  cgroups: CgroupParents,
  now: number,
): Promise<void> {
  const left = await freeLeftovers(host, { cgroups, now, thorough: false });
  for (const { path, kept } of left.setAside)
    host.notice(`a run that has ended left ${path}, which would run on this host; it lies in ${kept} now`);
  for (const { file, why, kept } of left.quarantined) host.notice(`${file} ${why}; it lies in ${kept} now`);
}

/**
 * Frees what dead runs of this user left; cheap when there is nothing. Their receipts are made first, while their records still
 * stand; folders are looked through only after what wrote to them is gone. Throws what completeDue throws, after
 * everything is freed.
 */
export async function freeLeftovers(host: CompleteHost, request: LeftoversRequest): Promise<Leftovers> {
  const { paths } = host;
  const { cgroups, now, thorough } = request;
  const folders = runFolders(paths);
  const quarantine = join(paths.state, 'quarantine');
  const failed = await completeDue(host, now).then(
    () => undefined,
    (error: unknown) => ({ error }),
  );
  const reaped = await reapRuns(folders, cgroups, now);
  const swept = await sweepClaims({ ...sweepFolders(paths), quarantine: thorough ? quarantine : undefined });
  sweepAwaited(folders.awaited);
  const copies = await removeHalfCopies(folders);
  const judged = thorough ? judgeCopies(folders.copies, quarantine) : { stuck: [], quarantined: [] };
  if (thorough) sweepUsedWays(paths);
  const halves = thorough ? await sweepHalves(paths, now) : [];
  if (failed !== undefined) throw failed.error;
  return {
    freed: reaped.freed,
    stuck: [...reaped.stuck, ...swept.stuck, ...judged.stuck],
    quarantined: [...reaped.quarantined, ...swept.quarantined, ...judged.quarantined],
    slots: reaped.slots,
    setAside: swept.setAside,
    copies,
    halves,
  };
}
