// Owns who uses which host folder right now, so that no guest can swap a folder under the start of another sandbox, and so
// that a folder which a killed run wrote to is still looked through.
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { ensureDirectory, writeFileAtomic } from '../base/files.ts';
import { printable } from '../base/printable.ts';
import { bootId, startTimeOf } from '../base/process.ts';
import { type BytePath, showPath } from './beneath.ts';
import type { GuardedMarks } from './guarded.ts';
import { isWithin } from './hostPlaces.ts';
import { listNames, moveAside, pathOf, type Quarantined, readOwnFile, type Stuck } from './ownFiles.ts';
import { type SetAside, setAsideNew } from './setAside.ts';

const claimSchema = z.strictObject({
  source: z.string(),
  mode: z.enum(['ro', 'rw', 'copy']),
  /** Of the process that holds it; with its start time and the boot, because pids are used again. */
  pid: z.int(),
  started: z.string(),
  boot: z.string(),
  /** Present while a guest may write: what guarded places were before. */
  marks: z
    .strictObject({ places: z.array(z.tuple([z.string(), z.string()])), expected: z.array(z.string()) })
    .optional(),
});

type ClaimText = z.output<typeof claimSchema>;

export interface Claim {
  /** From here on a guest may write to the folder: if we are killed, it is looked through by whoever comes next. */
  arm(marks: GuardedMarks): void;
  /** The sandbox is gone and the folder was looked through, or nothing was started. Twice is once. */
  release(): void;
}

export interface ClaimRequest {
  /** Folder of all claims: `<state>/claims`. */
  readonly claims: string;
  /** Absolute and real. */
  readonly source: string;
  readonly mode: ClaimText['mode'];
}

function isLive({ pid, started, boot }: ClaimText): boolean {
  return boot === bootId() && startTimeOf(pid) === started;
}

const mostClaimBytes = 64 << 20;

interface ReadClaims {
  readonly claims: readonly { file: string; claim: ClaimText }[];
  /** Which folder they stand for nobody knows. */
  readonly damaged: readonly { name: BytePath; why: string }[];
}

function readClaims(folder: string): ReadClaims {
  const claims: { file: string; claim: ClaimText }[] = [];
  const damaged: { name: BytePath; why: string }[] = [];
  for (const name of listNames(folder).filter((one) => one.endsWith('.claim'))) {
    const read = readOwnFile(pathOf(folder, name), mostClaimBytes);
    if (read.kind === 'foreign') damaged.push({ name, why: read.why });
    if (read.kind !== 'file') continue;
    try {
      claims.push({ file: join(folder, name), claim: claimSchema.parse(JSON.parse(read.text)) });
    } catch {
      damaged.push({ name, why: 'is no claim of this version' });
    }
  }
  return { claims, damaged };
}

/**
 * Whether two uses of folders endanger each other. A guest that writes to a folder can put a link in the place of whatever lies
 * below it between our check and the mount or copy. The folder's own name is out of its reach, so a read-only mount of the
 * same folder, or of one around it, is safe; a second writable one or a copy is not: they name places below.
 */
export function conflicts(one: Pick<ClaimText, 'source' | 'mode'>, other: Pick<ClaimText, 'source' | 'mode'>): boolean {
  const endangers = (writer: typeof one, used: typeof one) => {
    if (writer.mode !== 'rw') return false;
    if (used.source !== writer.source && isWithin(used.source, writer.source)) return true;
    return used.mode !== 'ro' && isWithin(writer.source, used.source);
  };
  return endangers(one, other) || endangers(other, one);
}

// It may be the claim of this very folder: of a guest that writes to it now, or of one that did and was killed.
function refuseDamaged(claims: string, { damaged: [first] }: ReadClaims): void {
  if (first === undefined) return;
  throw new CofferdamError(
    'WORKSPACE_IN_USE',
    `a claim of a folder ${first.why} (${printable(claims)}/${showPath(first.name)}), so which folder a sandbox may write to is unknown`,
    { remedy: 'when no other sandbox runs: sandbox gc' },
  );
}

/**
 * Claims a folder for a run of this process. Written first and compared afterwards, so that of two at once at most one goes on.
 * Throws WORKSPACE_IN_USE.
 */
export function claimFolder({ claims, source, mode }: ClaimRequest): Claim {
  ensureDirectory(claims);
  const file = join(claims, `${randomBytes(8).toString('hex')}.claim`);
  const started = startTimeOf(process.pid) ?? '';
  const own: ClaimText = { source, mode, pid: process.pid, started, boot: bootId() };
  const write = (claim: ClaimText) => writeFileAtomic(file, `${JSON.stringify(claim)}\n`);
  const release = () => rmSync(file, { force: true });
  write(own);
  try {
    const read = readClaims(claims);
    refuseDamaged(claims, read);
    const others = read.claims.filter((found) => found.file !== file);
    // What a dead process never armed stands for nothing; armed, for a folder that nobody has looked through yet.
    const over = others.filter((found) => found.claim.marks === undefined && !isLive(found.claim));
    for (const found of over) rmSync(found.file, { force: true });
    const other = others.find((found) => !over.includes(found) && conflicts(own, found.claim));
    if (other !== undefined) {
      const dead = !isLive(other.claim);
      const why = dead ? 'was written to by a run that was killed' : 'is in use by another sandbox that may write';
      throw new CofferdamError('WORKSPACE_IN_USE', `${printable(other.claim.source)} ${why}`, {
        ...(dead ? { remedy: 'have it looked through: sandbox gc' } : {}),
      });
    }
  } catch (cause) {
    release();
    throw cause;
  }
  return {
    arm: ({ places, expected }) => write({ ...own, marks: { places: [...places], expected: [...expected] } }),
    release,
  };
}

export interface SweepRequest {
  readonly claims: string;
  /** A folder of the state; what is set aside goes to numbered folders in it. */
  readonly destination: string;
  /** Where damaged claims go; undefined leaves them, and with them the refusal of every folder. */
  readonly quarantine: string | undefined;
  readonly signal: AbortSignal;
}

export interface Swept {
  readonly setAside: readonly SetAside[];
  /** Folders that could not be looked through: their claims stay, and they are refused. */
  readonly stuck: readonly Stuck[];
  readonly quarantined: readonly Quarantined[];
}

async function lookThrough({ source, marks }: ClaimText, { destination, signal }: SweepRequest): Promise<SetAside[]> {
  if (marks === undefined || !existsAsFolder(source)) return [];
  const before = { places: new Map(marks.places), expected: marks.expected };
  const kept = join(destination, `killed-${randomBytes(8).toString('hex')}`);
  return setAsideNew({ source, before, destination: kept, signal });
}

function dropDamaged({ claims, quarantine }: SweepRequest, { damaged }: ReadClaims): Quarantined[] {
  if (quarantine === undefined) return [];
  return damaged.map(({ name, why }) => {
    const text = `${why}; a folder that a killed sandbox wrote to may never have been looked through: read there which`;
    return { file: `${claims}/${showPath(name)}`, why: text, kept: moveAside(quarantine, claims, name) };
  });
}

/**
 * Looks through the folders that killed runs wrote to and drops the claims of dead processes. A folder that is gone has
 * nothing to be looked through.
 */
export async function sweepClaims(request: SweepRequest): Promise<Swept> {
  const setAside: SetAside[] = [];
  const stuck: Stuck[] = [];
  const read = readClaims(request.claims);
  for (const { file, claim } of read.claims.filter((found) => !isLive(found.claim))) {
    try {
      setAside.push(...(await lookThrough(claim, request)));
      rmSync(file, { force: true });
    } catch (error) {
      stuck.push({ id: printable(claim.source, 4096), why: printable(messageOf(error), 400) });
    }
  }
  return { setAside, stuck, quarantined: dropDamaged(request, read) };
}

function existsAsFolder(path: string): boolean {
  try {
    return readdirSync(path) !== undefined;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return false;
    throw cause;
  }
}
