// Owns copies of workspaces: made before a run, settled after it, found by the run's id, removed.
import { type BigIntStats, chmodSync, lstatSync, mkdirSync, readdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { diskError, readTextIfPresent, writeFileAtomic } from '../base/files.ts';
import { checkId, idPattern } from '../base/ids.ts';
import { printable } from '../base/printable.ts';
import { matching, object, optional, type ShapeOf, text, whole } from '../base/shape.ts';
import { formatSize } from '../base/units.ts';
import type { HostIds, ProgramIds } from '../spec/uidmap.ts';
import { copyTree, giveTree, measureTree, removeNamed, removeTree, stripSetId, unhideTree } from './copyTree.ts';

const metaShape = object({
  id: matching(idPattern),
  /** Absolute host folder that was copied, and what it was: another folder under its name is not it. */
  source: text,
  device: text,
  inode: text,
  /** Milliseconds since the epoch. */
  createdMs: whole(0),
  appliedMs: optional(whole(0)),
});

export interface Copy extends ShapeOf<typeof metaShape> {
  /** `<copies>/<id>`. */
  readonly folder: string;
  /** As the folder was. Named as a unified diff names its two sides; without `.git`. */
  readonly base: string;
  /** What the sandbox gets as /workspace, and leaves behind. */
  readonly work: string;
}

/**
 * Whose uid the program has in a copy. For a plain user the caller: the copy is private to it and comes out owned by it. For
 * root the last subordinate id, which no slot may use (countSlots leaves it out).
 */
export function copyOwner(ids: HostIds): ProgramIds {
  if (ids.callerUid !== 0) return { kind: 'owner', uid: ids.callerUid, gid: ids.callerGid };
  const { subuids, subgids } = ids;
  return { kind: 'owner', uid: subuids.start + subuids.count - 1, gid: subgids.start + subgids.count - 1 };
}

function placesOf(copies: string, id: string): Pick<Copy, 'folder' | 'base' | 'work'> {
  const folder = join(copies, id);
  return { folder, base: join(folder, 'a'), work: join(folder, 'b') };
}

function writeMeta(copy: Copy): void {
  const { folder, base: _base, work: _work, ...meta } = copy;
  writeFileAtomic(join(folder, 'meta.json'), `${JSON.stringify(metaShape(meta))}\n`);
}

function checkSpace(copies: string, bytes: number, floor: number): void {
  const { bavail, bsize } = statfsSync(copies);
  const free = bavail * bsize;
  if (free - 2 * bytes >= floor) return;
  const text = (value: number) => formatSize(Math.ceil(value / 1048576) * 1048576);
  throw new CofferdamError(
    'DISK_FULL',
    `the copy of the workspace needs ${text(2 * bytes)}; ${printable(copies)} has ${text(free)} free, of which ${text(floor)} stay free`,
  );
}

export interface CopyRequest {
  /** Absolute and real, checked by checkWorkspace. */
  readonly source: string;
  readonly id: string;
  /** RunFolders.copies. */
  readonly copies: string;
  readonly ids: HostIds;
  /** Bytes that stay free on the host (hostConfig.limits.hostFreeDisk). */
  readonly floor: number;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly signal: AbortSignal;
}

/**
 * Copies `source` twice: `work` for the run, `base` to compare with. Throws ID_IN_USE, DISK_FULL before or while copying,
 * WORKSPACE_INVALID when part of the folder cannot be read; nothing is left behind then.
 */
export async function makeCopy(request: CopyRequest): Promise<Copy> {
  const { source, id, copies, ids, floor, now, signal } = request;
  const places = placesOf(copies, checkId(id, 'run id'));
  const found = lstatSync(source, { bigint: true });
  checkSpace(copies, await measureReadable(source, signal), floor);
  try {
    mkdirSync(places.folder, { mode: 0o700 });
  } catch (cause) {
    if (errnoOf(cause) !== 'EEXIST') throw diskError(cause, `cannot make ${places.folder}`);
    throw new CofferdamError('ID_IN_USE', `a copy of a workspace with the run id ${id} exists`, {
      remedy: `see: sandbox diff --list; remove it: sandbox apply --discard ${id}`,
      cause,
    });
  }
  try {
    await copyReadable(source, places.base, signal);
    checkSame(source, places.base, found);
    await stripSetId(places.base, signal);
    await copyTree(places.base, places.work, signal);
    await removeNamed(places.base, '.git', signal);
    chmodSync(places.work, 0o700);
    const copy = { id, source, device: String(found.dev), inode: String(found.ino), createdMs: now, ...places };
    writeMeta(copy);
    const owner = copyOwner(ids);
    if (ids.callerUid === 0 && owner.kind === 'owner') {
      chmodSync(places.base, 0o700);
      await giveTree(places.work, owner.uid, owner.gid, signal);
      // Root inside is a subordinate id, which passes here on its way to the mount source (lib/run/folders.ts).
      chmodSync(places.folder, 0o711);
    }
    return copy;
  } catch (cause) {
    await removeTree(places.folder, new AbortController().signal);
    throw cause;
  }
}

function unreadable(source: string, cause: unknown): CofferdamError {
  return new CofferdamError('WORKSPACE_INVALID', `${printable(source)} cannot be copied: ${messageOf(cause)}`, {
    cause,
    remedy: 'make it readable for you (chmod -R u+rX), or name a smaller folder',
  });
}

async function measureReadable(source: string, signal: AbortSignal): Promise<number> {
  try {
    return await measureTree(source, signal);
  } catch (cause) {
    throw signal.aborted ? cause : unreadable(source, cause);
  }
}

async function copyReadable(source: string, base: string, signal: AbortSignal): Promise<void> {
  try {
    await copyTree(source, base, signal);
  } catch (cause) {
    const own = signal.aborted || (cause instanceof CofferdamError && cause.code === 'DISK_FULL');
    throw own ? cause : unreadable(source, cause);
  }
}

// A link that took the folder's place would have been copied as one, and what follows would act on its target.
function checkSame(source: string, base: string, was: BigIntStats): void {
  const now = lstatSync(source, { bigint: true });
  if (now.dev === was.dev && now.ino === was.ino && lstatSync(base).isDirectory()) return;
  throw new CofferdamError('WORKSPACE_INVALID', `${printable(source)} was replaced while it was copied`, {
    remedy: 'try again',
  });
}

/**
 * After the run, when nothing of it lives: everything belongs to the caller again, is readable for it, and lends no rights.
 * Harmless to do twice.
 */
export async function settleCopy(
  copy: Copy,
  { callerUid }: Pick<HostIds, 'callerUid'>,
  signal: AbortSignal,
): Promise<void> {
  if (callerUid === 0) await giveTree(copy.work, 0, 0, signal);
  await unhideTree(copy.work, signal);
  await stripSetId(copy.work, signal);
  chmodSync(copy.work, 0o700);
  chmodSync(copy.folder, 0o700);
}

/** The copy of a run; undefined when there is none, or half of one. Throws CONFIG_UNREADABLE when its meta.json is damaged. */
export function readCopy(copies: string, id: string): Copy | undefined {
  const places = placesOf(copies, id);
  const found = lstatSync(places.folder, { throwIfNoEntry: false });
  const text = readTextIfPresent(join(places.folder, 'meta.json'));
  if (found === undefined || text === undefined) return undefined;
  try {
    if (!found.isDirectory()) throw new Error('it is read through a link');
    const meta = metaShape(JSON.parse(text));
    if (meta.id !== id) throw new Error(`it is that of ${meta.id}`);
    return { ...meta, ...places };
  } catch (cause) {
    throw new CofferdamError('CONFIG_UNREADABLE', `${printable(places.folder)}/meta.json is damaged`, {
      remedy: 'set the copy aside: sandbox gc',
      cause,
    });
  }
}

/** The copy of a run. Throws ID_INVALID, and RUN_UNKNOWN when the run left none. */
export function findCopy(copies: string, id: string): Copy {
  const copy = readCopy(copies, checkId(id, 'run id'));
  if (copy !== undefined) return copy;
  throw new CofferdamError('RUN_UNKNOWN', `the run ${id} left no copy of a workspace`, {
    remedy: 'see: sandbox diff --list',
  });
}

/** All copies, oldest first; half-made ones (a killed start) are not among them. */
export function listCopies(copies: string): Copy[] {
  let names: string[] = [];
  try {
    names = readdirSync(copies);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw diskError(cause, `cannot list ${copies}`);
  }
  return names
    .filter((name) => idPattern.test(name))
    .map((name) => readCopy(copies, name))
    .filter((copy) => copy !== undefined)
    .sort((a, b) => a.createdMs - b.createdMs);
}

/** Records that the changes are in the original now. */
export function markApplied(copy: Copy, now: number): void {
  writeMeta({ ...copy, appliedMs: now });
}

/** Removes a copy, whatever the guest made of its modes. */
export async function removeCopy(copy: Pick<Copy, 'folder'>, signal: AbortSignal): Promise<void> {
  await removeTree(copy.folder, signal);
}
