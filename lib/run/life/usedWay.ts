// Owns what is known of a sandbox's way out: whether it is served, what it was used for, and waiting until that is counted.
import { rmSync } from 'node:fs';
import type { Paths } from '../../base/paths.ts';
import {
  isServed,
  leasesFolder,
  listLeases,
  readLease,
  readUsedWay,
  usedWayFile,
  usedWaysFolder,
} from '../../policy/lease.ts';
import { runFolders } from '../folders.ts';
import { listNames, pathOf } from '../ownFiles.ts';
import { isAwaited } from '../receipt/awaited.ts';
import type { Egress } from '../wayOut.ts';
import { listSandboxIds } from './sandbox.ts';
import { readLive } from './state.ts';

/** Of one that waits for the proxy's last word for half a second. */
export const patienceMs = 30_000;
const lookMs = 20;

/** Whether a daemon holds the way of `run` open, or is ending it. What is damaged nobody serves. */
export function isWayServed(paths: Paths, run: string): boolean {
  try {
    const lease = readLease(leasesFolder(paths), run);
    return lease !== undefined && isServed(lease);
  } catch {
    return false;
  }
}

/** Whether the daemon of the way out is about to say what the way of `run`, which has ended, was used for. */
export function isBeingCounted(paths: Paths, run: string): boolean {
  if (readLive(paths, run) !== undefined || isAwaited(runFolders(paths).awaited, run)) return false;
  return isWayServed(paths, run);
}

/**
 * Waits until the ways of all sandboxes that have ended are counted, so that their receipts can say it. Where no daemon is left to do it nobody
 * waits; the next one clears away (lib/service/egress/leasedWays.ts).
 */
export async function awaitCounts(paths: Paths): Promise<void> {
  const giveUp = performance.now() + patienceMs;
  for (const run of listLeases(leasesFolder(paths)))
    while (isBeingCounted(paths, run) && performance.now() < giveUp)
      await new Promise((done) => setTimeout(done, lookMs));
}

/** What the way of a run that has ended was used for; undefined where it had none, or nobody knows. */
export function readEgress(paths: Paths, run: string): Egress | undefined {
  try {
    const used = readUsedWay(usedWayFile(paths, run), run);
    return used === undefined ? undefined : { ...used, problem: used.problem ?? undefined };
  } catch {
    return undefined;
  }
}

/** Removes what a daemon that came back later wrote down about runs of sandboxes that are no more. */
export function sweepUsedWays(paths: Paths): void {
  const folder = usedWaysFolder(paths);
  const known = new Set(listSandboxIds(paths));
  for (const name of listNames(folder))
    if (!known.has(name.slice(0, name.lastIndexOf('-')))) rmSync(pathOf(folder, name), { force: true });
}
