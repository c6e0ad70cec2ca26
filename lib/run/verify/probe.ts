// Owns our probe (lib/run/native/probe): its bytes, its command line, and knowing when it has made its attempts.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import type { Profile } from '../../profile/schema.ts';

export interface Probe {
  readonly file: string;
  readonly bytes: Uint8Array;
  /** sha256, in hex. */
  readonly digest: string;
}

/** Throws TOOL_FAILED when it was not built. */
export function readProbe(install: string): Probe {
  const file = join(install, 'dist/native/probe');
  try {
    const bytes = readFileSync(file);
    return { file, bytes, digest: createHash('sha256').update(bytes).digest('hex') };
  } catch (cause) {
    throw new CofferdamError('TOOL_FAILED', `the probe is not built: ${file}`, { remedy: 'bin/setup', cause });
  }
}

export interface ProbeWish {
  /** Where it may write and execute. */
  readonly folder: string;
  readonly port: number;
  readonly profile: Profile;
  readonly ids: readonly string[];
}

/** What follows the name of the program. */
export function probeArguments({ folder, port, profile, ids }: ProbeWish): string[] {
  return [folder, String(port), String(profile.limits.fileSize), String(profile.tmpfs.tmp), ...ids];
}

/** Which of `pids` has said that it is done; it sleeps then until it gets TERM. */
export function findDone(pids: readonly number[]): number | undefined {
  return pids.find((pid) => {
    try {
      return readFileSync(`/proc/${pid}/comm`, 'latin1') === 'probe-done\n';
    } catch {
      // Ended meanwhile.
      return false;
    }
  });
}

// Of attempts that take a second where nobody else wants the processors.
const patienceMs = 300_000;
const pauseMs = 10;

/** Waits for `look` to find something, or for `ended`; undefined when it never did. */
export async function waitFor<T>(look: () => T | undefined, ended: Promise<unknown>): Promise<T | undefined> {
  let over = false;
  const stop = () => {
    over = true;
  };
  void ended.then(stop, stop);
  for (const giveUp = performance.now() + patienceMs; !over && performance.now() < giveUp; ) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, pauseMs));
  }
  return undefined;
}
