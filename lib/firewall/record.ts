// Owns the files of the second wall: what was applied in this boot, the way back, what the next boot loads.
import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureDirectory, readTextIfPresent, writeFileAtomic } from '../base/files.ts';
import type { Paths } from '../base/paths.ts';

export interface FirewallPlaces {
  /** Gone after a reboot, as the kernel's table is. */
  readonly folder: string;
  /** The script in force. */
  readonly applied: string;
  /** The script that undoes the last apply, and the one that was in force before it. */
  readonly wayBack: string;
  readonly before: string;
  /** `TOKEN UNTIL`: an apply that waits for its confirmation; ms since the epoch. */
  readonly pending: string;
  readonly lock: string;
  /** What the timer of the way back had to say. */
  readonly log: string;
  /** What a boot loads; written by a confirmation only. */
  readonly boot: string;
  /** What root's watcher tells everybody. */
  readonly published: string;
  /** The program that goes back. */
  readonly goBack: string;
}

/** The host's one set of files; `paths` are those of root. */
export function firewallPlaces(paths: Paths): FirewallPlaces {
  const folder = join(paths.run, 'firewall');
  return {
    folder,
    applied: join(folder, 'applied.nft'),
    wayBack: join(folder, 'wayback.nft'),
    before: join(folder, 'before.nft'),
    pending: join(folder, 'pending'),
    lock: join(folder, 'lock'),
    log: join(folder, 'wayback.log'),
    boot: join(paths.config, 'firewall.nft'),
    published: join(paths.run, 'firewall.state'),
    goBack: join(paths.install, 'lib/firewall/shell/wayback.sh'),
  };
}

const mostBytes = 64 << 20;

/** The script at `file`, or undefined when there is none. Throws CONFIG_UNREADABLE. */
export function readScript(file: string): string | undefined {
  return readTextIfPresent(file, mostBytes);
}

/** Writes `script`, or removes the file when there is none to write. */
export function writeScript(file: string, script: string | undefined): void {
  if (script === undefined) rmSync(file, { force: true });
  else writeFileAtomic(file, script);
}

/** The script that should be in force: what was applied in this boot, else what the boot loaded. */
export function readWanted(places: FirewallPlaces): string | undefined {
  return readScript(places.applied) ?? readScript(places.boot);
}

export interface Pending {
  readonly token: string;
  /** ms since the epoch. */
  readonly until: number;
}

/** The apply that waits for its confirmation, or undefined. */
export function readPending({ pending }: FirewallPlaces): Pending | undefined {
  const [token = '', until = ''] = (readTextIfPresent(pending, 4096) ?? '').trim().split(' ');
  return token === '' ? undefined : { token, until: Number(until) };
}

/** Notes that an apply waits until `until`. */
export function writePending({ pending }: FirewallPlaces, until: number): Pending {
  const token = randomBytes(16).toString('hex');
  writeFileAtomic(pending, `${token} ${until}\n`);
  return { token, until };
}

/** Forgets the way back of the last apply. */
export function dropWayBack({ pending, wayBack, before }: FirewallPlaces): void {
  // The timer looks for `pending` first: without it, it does nothing.
  for (const file of [pending, wayBack, before]) rmSync(file, { force: true });
}

/** Makes the folder of the lock. */
export function prepareFolder({ folder }: FirewallPlaces): void {
  ensureDirectory(folder);
}
