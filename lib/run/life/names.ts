// Owns the names of sandboxes: each is a file made exclusively, so that of two who want one name exactly one gets it.
import { randomInt } from 'node:crypto';
import { closeSync, constants, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import { diskError, ensureDirectory, readTextIfPresent } from '../../base/files.ts';
import { takeFileLock } from '../../base/lock.ts';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { listSandboxIds, namesFolder, sandboxesFolder, sandboxIdPattern, sandboxNamePattern } from './sandbox.ts';

const adjectives =
  'amber bold brisk calm clear deft eager early fair fond frank glad keen kind light lucid mild neat plain prime quick quiet ready sharp solid spare still sure swift tidy warm wise';
const nouns =
  'anchor barge bay beacon berth bollard bridge buoy canal cove creek delta dock estuary ferry ford gull harbour heron inlet jetty keel lagoon lock marsh otter pier quay reef sluice tide weir';

// Made, and the id not yet written or its sandbox.json not yet there; nothing takes longer than this.
const settleMs = 60_000;

/** `name` itself, or throws SANDBOX_NAME. What reads as an id is none: it would hide the sandbox that has the id. */
export function checkName(name: string): string {
  if (sandboxNamePattern.test(name) && !sandboxIdPattern.test(name)) return name;
  throw new CofferdamError('SANDBOX_NAME', `"${printable(name, 80)}" cannot be the name of a sandbox`, {
    remedy: 'use a-z, 0-9, "_", "." and "-", at most 63 of them, a letter or digit first',
  });
}

function isStale(paths: Paths, file: string): boolean {
  if (listSandboxIds(paths).includes(readTextIfPresent(file, 64)?.trim() ?? '')) return false;
  const found = statSync(file, { throwIfNoEntry: false });
  return found !== undefined && Date.now() - found.mtimeMs > settleMs;
}

function makeClaim(file: string, id: string): boolean {
  try {
    const fd = openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o600);
    try {
      writeSync(fd, `${id}\n`);
    } finally {
      closeSync(fd);
    }
    return true;
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') return false;
    // Made and not written: a full disk. It would hold the name for a minute.
    if (errnoOf(cause) === 'ENOSPC') rmSync(file, { force: true });
    throw diskError(cause, `cannot write ${file}`);
  }
}

/** Claims a name for sandbox `id`; false when it is taken. A claim whose maker was killed counts for a minute. */
async function tryName(paths: Paths, name: string, id: string): Promise<boolean> {
  const file = join(namesFolder(paths), name);
  if (makeClaim(file, id)) return true;
  if (!isStale(paths, file)) return false;
  // One at a time, and looked at again: of two who find it stale, the second would remove the claim of the first.
  const lock = await takeFileLock(join(sandboxesFolder(paths), 'names.lock'));
  try {
    if (isStale(paths, file)) rmSync(file, { force: true });
  } finally {
    lock.release();
  }
  return makeClaim(file, id);
}

/** Claims `wanted`, or a name that we choose, and gives it. Throws SANDBOX_NAME when it is taken. */
export async function claimName(paths: Paths, wanted: string | undefined, id: string): Promise<string> {
  ensureDirectory(namesFolder(paths));
  if (wanted !== undefined) {
    if (await tryName(paths, wanted, id)) return wanted;
    throw new CofferdamError('SANDBOX_NAME', `a sandbox is called "${wanted}" already`, {
      remedy: `choose another name, or remove it: sandbox rm ${wanted}`,
    });
  }
  const pick = (words: string) => {
    const list = words.split(' ');
    return list[randomInt(list.length)] ?? '';
  };
  for (let tries = 0; tries < 64; tries++) {
    const number = tries < 8 ? '' : `-${randomInt(10_000)}`;
    const name = `${pick(adjectives)}-${pick(nouns)}${number}`;
    if (await tryName(paths, name, id)) return name;
  }
  throw new CofferdamError('SANDBOX_NAME', 'no free name was found', { remedy: 'give one: --name NAME' });
}

/** Gives the name back, when it is that of sandbox `id`. */
export function releaseName(paths: Paths, name: string, id: string): void {
  const file = join(namesFolder(paths), name);
  if (sandboxNamePattern.test(name) && readTextIfPresent(file, 64)?.trim() === id) rmSync(file, { force: true });
}
