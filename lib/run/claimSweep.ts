// Owns looking through the folders that runs wrote to which nobody ended: killed ones, and sandboxes that ended by themselves.
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, messageOf } from '../base/errors.ts';
import { readTextIfPresent, writeFileAtomic } from '../base/files.ts';
import { takeFolderLock } from '../base/lock.ts';
import type { Paths } from '../base/paths.ts';
import { printable } from '../base/printable.ts';
import { list, object, text } from '../base/shape.ts';
import { showPath } from './beneath.ts';
import { type ClaimText, isLive, type ReadClaims, readClaims } from './claims.ts';
import { runFolders } from './folders.ts';
import { moveAside, type Quarantined, type Stuck } from './ownFiles.ts';
import { type SetAside, setAsideNew } from './setAside.ts';

export interface SweepRequest {
  readonly claims: string;
  /** RunFolders.records: a claim whose run has one is left alone. */
  readonly records: string;
  /** A folder of the state; what is set aside goes to folders in it, and what went where to `RUN.json`. */
  readonly destination: string;
  /** Where damaged claims go; undefined leaves them, and with them the refusal of every folder. */
  readonly quarantine: string | undefined;
}

export interface Swept {
  readonly setAside: readonly SetAside[];
  /** Folders that could not be looked through: their claims stay, and they are refused. */
  readonly stuck: readonly Stuck[];
  readonly quarantined: readonly Quarantined[];
}

/** Where this user's claims are, and what is set aside goes. */
export function sweepFolders(paths: Paths): Pick<SweepRequest, 'claims' | 'records' | 'destination'> {
  const { records } = runFolders(paths);
  return { claims: join(paths.state, 'claims'), records, destination: join(paths.state, 'set-aside') };
}

const reportShape = list(object({ path: text, kept: text }));
const mostReport = 16 << 20;

/** What was set aside of a run that nobody ended, whoever did it. */
export function readSetAside(destination: string, run: string): SetAside[] {
  const text = readTextIfPresent(join(destination, `${run}.json`), mostReport);
  return text === undefined ? [] : reportShape(JSON.parse(text));
}

async function lookThrough({ source, marks, run }: ClaimText, destination: string): Promise<SetAside[]> {
  if (marks === undefined || !existsAsFolder(source)) return [];
  const before = { places: new Map(marks.places), expected: marks.expected };
  const kept = join(destination, `${run ?? 'killed'}-${randomBytes(8).toString('hex')}`);
  // What a run left is looked through even when the call that came upon it is cancelled.
  const { signal } = new AbortController();
  const moved = await setAsideNew({ source, before, destination: kept, signal });
  if (run !== undefined && moved.length > 0) {
    const all = [...readSetAside(destination, run), ...moved];
    writeFileAtomic(join(destination, `${run}.json`), `${JSON.stringify(all)}\n`);
  }
  return moved;
}

function dropDamaged({ claims, quarantine }: SweepRequest, { damaged }: ReadClaims): Quarantined[] {
  if (quarantine === undefined) return [];
  return damaged.map(({ name, why }) => {
    const text = `${why}; a folder that a killed sandbox wrote to may never have been looked through: read there which`;
    return { file: `${claims}/${showPath(name)}`, why: text, kept: moveAside(quarantine, claims, name) };
  });
}

async function sweepLocked(request: SweepRequest): Promise<Swept> {
  const setAside: SetAside[] = [];
  const stuck: Stuck[] = [];
  const read = readClaims(request.claims);
  for (const { file, claim } of read.claims.filter((found) => !isLive(found.claim, request.records))) {
    try {
      setAside.push(...(await lookThrough(claim, request.destination)));
      rmSync(file, { force: true });
    } catch (error) {
      stuck.push({ id: printable(claim.source, 4096), why: printable(messageOf(error), 400) });
    }
  }
  return { setAside, stuck, quarantined: dropDamaged(request, read) };
}

/**
 * Looks through the folders that ended runs wrote to and drops their claims, and those of dead processes. A folder that is gone has
 * nothing to be looked through. One process at a time, so that each folder is finished once; a second one waits until it is.
 */
export async function sweepClaims(request: SweepRequest): Promise<Swept> {
  const { claims, damaged } = readClaims(request.claims);
  const due = claims.some(({ claim }) => !isLive(claim, request.records));
  if (!due && (damaged.length === 0 || request.quarantine === undefined))
    return { setAside: [], stuck: [], quarantined: [] };
  const lock = await takeFolderLock(request.claims);
  try {
    return await sweepLocked(request);
  } finally {
    lock.release();
  }
}

/** Whether the folder that `run` may write to, or wrote to, has not been looked through yet. */
export function isDue({ claims }: Pick<SweepRequest, 'claims'>, run: string): boolean {
  return existsSync(claims) && readClaims(claims).claims.some(({ claim }) => claim.run === run);
}

function existsAsFolder(path: string): boolean {
  try {
    return readdirSync(path) !== undefined;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return false;
    throw cause;
  }
}
