// Owns who uses which host folder right now, so that no guest can swap a folder under the start of another sandbox, and so
// that a folder which a killed run wrote to is still looked through.
import { randomBytes } from 'node:crypto';
import { lstatSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { ensureDirectory, writeFileAtomic } from '../base/files.ts';
import { idPattern } from '../base/ids.ts';
import { printable } from '../base/printable.ts';
import { bootId, startTimeOf } from '../base/process.ts';
import { list, matching, object, oneOf, optional, pair, type ShapeOf, text, whole } from '../base/shape.ts';
import { type BytePath, showPath } from './beneath.ts';
import type { GuardedMarks } from './guarded.ts';
import { isWithin } from './hostPlaces.ts';
import { listNames, pathOf, readOwnFile } from './ownFiles.ts';

const claimShape = object({
  source: text,
  mode: oneOf('ro', 'rw', 'copy'),
  /** Of the process that holds it, 0 for none; with its start time and the boot, because pids are used again. */
  pid: whole(0),
  started: text,
  boot: text,
  /** The run that may write; while its record stands the folder is in use, whoever started it. */
  run: optional(matching(idPattern)),
  /** Present while a guest may write: what guarded places were before. */
  marks: optional(object({ places: list(pair(text, text)), expected: list(text) })),
});

export type ClaimText = ShapeOf<typeof claimShape>;

export interface Claim {
  /** From here on the guest of `run` may write to the folder: if we are killed, it is looked through by whoever comes next. */
  arm(marks: GuardedMarks, run: string): void;
  /** The run goes on without us: from here on the claim stands while its record does, and then until somebody looked. */
  handOver(): void;
  /** The sandbox is gone and the folder was looked through, or nothing was started. Twice is once; nothing after handOver. */
  release(): void;
}

export interface ClaimRequest {
  /** Folder of all claims: `<state>/claims`. */
  readonly claims: string;
  /** RunFolders.records. */
  readonly records: string;
  /** Absolute and real. */
  readonly source: string;
  readonly mode: ClaimText['mode'];
}

/**
 * Whether the folder is in use. In this order: a supervisor starts nothing for a starter that is dead, and has its record by then
 * (lib/run/native/supervise.c, has_parent). A record goes when nothing of its run is left.
 */
export function isLive({ pid, started, boot, run }: ClaimText, records: string): boolean {
  if (boot === bootId() && startTimeOf(pid) === started) return true;
  return run !== undefined && lstatSync(join(records, run), { throwIfNoEntry: false }) !== undefined;
}

const mostClaimBytes = 64 << 20;

export interface ReadClaims {
  readonly claims: readonly { file: string; claim: ClaimText }[];
  /** Which folder they stand for nobody knows. */
  readonly damaged: readonly { name: BytePath; why: string }[];
}

/** All that stand in the folder. */
export function readClaims(folder: string): ReadClaims {
  const claims: { file: string; claim: ClaimText }[] = [];
  const damaged: { name: BytePath; why: string }[] = [];
  for (const name of listNames(folder).filter((one) => one.endsWith('.claim'))) {
    const read = readOwnFile(pathOf(folder, name), mostClaimBytes);
    if (read.kind === 'foreign') damaged.push({ name, why: read.why });
    if (read.kind !== 'file') continue;
    try {
      claims.push({ file: join(folder, name), claim: claimShape(JSON.parse(read.text)) });
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
export function claimFolder({ claims, records, source, mode }: ClaimRequest): Claim {
  ensureDirectory(claims);
  const file = join(claims, `${randomBytes(8).toString('hex')}.claim`);
  const started = startTimeOf(process.pid) ?? '';
  let own: ClaimText = { source, mode, pid: process.pid, started, boot: bootId() };
  let held = true;
  const write = (claim: ClaimText) => {
    own = claim;
    writeFileAtomic(file, `${JSON.stringify(claim)}\n`);
  };
  const release = () => {
    if (held) rmSync(file, { force: true });
    held = false;
  };
  write(own);
  try {
    const read = readClaims(claims);
    refuseDamaged(claims, read);
    const others = read.claims.filter((found) => found.file !== file);
    // What a dead process never armed stands for nothing; armed, for a folder that nobody has looked through yet.
    const over = others.filter((found) => found.claim.marks === undefined && !isLive(found.claim, records));
    for (const found of over) rmSync(found.file, { force: true });
    const other = others.find((found) => !over.includes(found) && conflicts(own, found.claim));
    if (other !== undefined) {
      const dead = !isLive(other.claim, records);
      const why = dead ? 'was written to by a run that has ended' : 'is in use by another sandbox that may write';
      throw new CofferdamError('WORKSPACE_IN_USE', `${printable(other.claim.source)} ${why}`, {
        ...(dead ? { remedy: 'have it looked through: sandbox gc' } : {}),
      });
    }
  } catch (cause) {
    release();
    throw cause;
  }
  return {
    arm: ({ places, expected }, run) => write({ ...own, run, marks: { places: [...places], expected: [...expected] } }),
    handOver: () => {
      // No process has this number.
      if (held) write({ ...own, pid: 0, started: '' });
      held = false;
    },
    release,
  };
}
