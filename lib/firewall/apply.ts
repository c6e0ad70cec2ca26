// Owns changing the host's table: checked first, under a lock, nothing when nothing changes, with a way back.

import { CofferdamError } from '../base/errors.ts';
import { takeFileLock } from '../base/lock.ts';
import { checkScript, dumpTable, learnState, listTable, loadScript, readLive } from './nft.ts';
import {
  dropWayBack,
  type FirewallPlaces,
  type Pending,
  prepareFolder,
  readPending,
  readScript,
  writePending,
  writeScript,
} from './record.ts';
import { removalScript } from './render.ts';
import { findDrift, haveSameParts, isSame } from './state.ts';
import { goBackNow, startTimer } from './wayback.ts';

export interface ApplyOptions {
  readonly places: FirewallPlaces;
  /** What renderNftables() gave. */
  readonly script: string;
  /** Go back by itself after this many ms unless confirmed; undefined: stay until the next boot. */
  readonly confirmMs: number | undefined;
  readonly now: () => number;
}

export interface Applied {
  readonly changed: boolean;
  readonly pending: Pending | undefined;
}

/** Runs `body` while nobody else changes the table. */
export async function underLock<T>(places: FirewallPlaces, body: () => Promise<T>): Promise<T> {
  prepareFolder(places);
  const lock = await takeFileLock(places.lock);
  try {
    return await body();
  } finally {
    lock.release();
  }
}

function refusePending(places: FirewallPlaces, now: number): void {
  const pending = readPending(places);
  if (pending === undefined) return;
  const seconds = Math.max(0, Math.ceil((pending.until - now) / 1000));
  throw new CofferdamError('FIREWALL_PENDING', `the last apply waits for its confirmation, ${seconds} s more`);
}

// Back to what we applied; else to what somebody made of our table; else to none.
async function writeWayBack(places: FirewallPlaces, inPlace: boolean): Promise<void> {
  const before = readScript(places.applied);
  const dump = before === undefined ? await dumpTable() : undefined;
  const wayBack = before !== undefined && inPlace ? before : `${removalScript}${before ?? dump ?? ''}`;
  // A way back that does not load is found out now, not when it is needed.
  await checkScript(wayBack);
  writeScript(places.wayBack, wayBack);
  writeScript(places.before, before);
}

async function loadAndCompare(script: string, wanted: readonly string[]): Promise<void> {
  await loadScript(script);
  const { extra, missing } = findDrift(wanted, await readLive());
  if (extra.length + missing.length === 0) return;
  throw new CofferdamError('FIREWALL_NOT_HELD', 'the kernel holds other rules than were loaded', {
    details: [...missing.map((line) => `missing: ${line}`), ...extra.map((line) => `extra: ${line}`)],
  });
}

/**
 * Puts `script` in force, read back and compared. Throws FIREWALL_PENDING while another apply waits for its confirmation,
 * TOOL_FAILED when nft refuses it (nothing is changed then) and FIREWALL_NOT_HELD when the kernel has it otherwise (what
 * was before is back then).
 */
export async function applyFirewall({ places, script, confirmMs, now }: ApplyOptions): Promise<Applied> {
  return underLock(places, async () => {
    refusePending(places, now());
    const wanted = await learnState(script);
    const live = await readLive();
    if (isSame(wanted, live)) {
      if (readScript(places.applied) !== script) writeScript(places.applied, script);
      return { changed: false, pending: undefined };
    }
    // A table with other parts, of another version or somebody's, is made anew; any other is refilled without a gap.
    const inPlace = live.length === 0 || haveSameParts(wanted, live);
    const change = inPlace ? script : `${removalScript}${script}`;
    await checkScript(change);
    await writeWayBack(places, inPlace);
    const pending = confirmMs === undefined ? undefined : writePending(places, now() + confirmMs);
    try {
      // The timer runs before the change: from here on nothing that happens to us leaves a locked host.
      if (pending !== undefined) await startTimer(places, pending, confirmMs ?? 0);
      await loadAndCompare(change, wanted);
      writeScript(places.applied, script);
    } catch (cause) {
      await goBackNow(places);
      throw cause;
    }
    return { changed: true, pending };
  });
}

/**
 * Keeps what is in force, for the next boot too; gives whether that was news. Throws FIREWALL_UNAPPLIED when nothing was
 * applied, and FIREWALL_DRIFT when the kernel has other rules by now.
 */
export async function confirmFirewall(places: FirewallPlaces): Promise<boolean> {
  return underLock(places, async () => {
    const script = readScript(places.applied);
    if (script === undefined) throw new CofferdamError('FIREWALL_UNAPPLIED', 'there is no apply to confirm');
    if (!isSame(await learnState(script), await readLive())) {
      throw new CofferdamError('FIREWALL_DRIFT', 'the kernel has other rules than were applied; nothing is confirmed');
    }
    const news = readPending(places) !== undefined || readScript(places.boot) !== script;
    if (readScript(places.boot) !== script) writeScript(places.boot, script);
    dropWayBack(places);
    return news;
  });
}

/** Undoes the last apply. Throws FIREWALL_UNAPPLIED when there is nothing to go back to: it was confirmed, or there was none. */
export async function rollBack(places: FirewallPlaces): Promise<void> {
  await underLock(places, async () => {
    if (readScript(places.wayBack) === undefined) {
      throw new CofferdamError('FIREWALL_UNAPPLIED', 'there is no apply to undo, or it was confirmed');
    }
    await goBackNow(places);
  });
}

/** Takes the table away, now and for the next boot; gives whether there was one. Other tables are not touched. */
export async function removeFirewall(places: FirewallPlaces): Promise<boolean> {
  return underLock(places, async () => {
    const there = (await listTable()) !== undefined;
    // First the boot: whoever is interrupted here has a table that goes with the next one.
    const booted = readScript(places.boot) !== undefined;
    writeScript(places.boot, undefined);
    dropWayBack(places);
    if (there) await loadScript(removalScript);
    writeScript(places.applied, undefined);
    writeScript(places.published, undefined);
    return there || booted;
  });
}
