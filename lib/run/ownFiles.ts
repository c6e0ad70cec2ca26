// Owns reading what stands in our own folders without trusting it, and moving aside what is not of our making.
import {
  type BigIntStats,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
} from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { ensureDirectory } from '../base/files.ts';
import { type BytePath, fromBytes, toBytes } from './beneath.ts';

/** Names in a folder as bytes, so that one which is no UTF-8 can be named again; none when it is no folder. */
export function listNames(folder: string): BytePath[] {
  try {
    return readdirSync(folder, { encoding: 'buffer' }).map(fromBytes);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return [];
    throw cause;
  }
}

export function pathOf(folder: string, name: BytePath): Buffer {
  return Buffer.concat([Buffer.from(`${folder}/`), toBytes(name)]);
}

export type OwnFile =
  | { readonly kind: 'file'; readonly text: string; readonly found: BigIntStats }
  /** Not what we write: `why` completes "it …". */
  | { readonly kind: 'foreign'; readonly why: string; readonly found: BigIntStats }
  | { readonly kind: 'gone' };

function findForeign(found: BigIntStats, most: number): string | undefined {
  if (found.isSymbolicLink()) return 'is a link';
  if (!found.isFile()) return 'is no file';
  const uid = process.getuid?.() ?? -1;
  if (found.uid !== BigInt(uid)) return `belongs to uid ${found.uid}`;
  return found.size > BigInt(most) ? `is larger than ${most} bytes` : undefined;
}

function readText(fd: number, most: number): string | undefined {
  const buffer = Buffer.alloc(most + 1);
  let length = 0;
  for (let got = 1; got > 0 && length <= most; length += got)
    got = readSync(fd, buffer, length, most + 1 - length, null);
  if (length > most) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(buffer.subarray(0, length));
  } catch {
    return undefined;
  }
}

/**
 * The text of a regular file of this user, at most `most` bytes of UTF-8. Nothing else is opened: a fifo would be waited for,
 * a device may act, a link leads elsewhere. Throws only what says nothing about the file (EMFILE, EIO).
 */
export function readOwnFile(file: string | Buffer, most: number): OwnFile {
  const found = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return { kind: 'gone' };
  const why = findForeign(found, most);
  if (why !== undefined) return { kind: 'foreign', why, found };
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch (cause) {
    const errno = errnoOf(cause) ?? '';
    if (errno === 'ENOENT') return { kind: 'gone' };
    if (!['ELOOP', 'EACCES', 'EPERM', 'ENXIO'].includes(errno)) throw cause;
    return { kind: 'foreign', why: `cannot be opened (${errno})`, found };
  }
  try {
    const opened = fstatSync(fd, { bigint: true });
    const swapped = findForeign(opened, most);
    if (swapped !== undefined) return { kind: 'foreign', why: swapped, found: opened };
    const text = readText(fd, most);
    return text === undefined
      ? { kind: 'foreign', why: `is no UTF-8, or larger than ${most} bytes`, found: opened }
      : { kind: 'file', text, found: opened };
  } finally {
    closeSync(fd);
  }
}

export interface Quarantined {
  /** What it was, with its folder, as printable text. */
  readonly file: string;
  readonly why: string;
  /** Where it lies now. */
  readonly kept: string;
}

/** What could not be freed: a run's id, or a file or folder, as printable text. */
export interface Stuck {
  readonly id: string;
  readonly why: string;
}

// A clock that is put right all the time goes back by less than this.
const slewMs = 1000;

/**
 * Ms since it last changed; a time in the future, after the clock was set back, counts as long ago. `now` may have been taken a
 * while ago, and what was made since is young.
 */
export function ageMs(found: BigIntStats, now: number): number {
  const age = Math.max(now, Date.now()) - Number(found.ctimeMs);
  return age < -slewMs ? Number.POSITIVE_INFINITY : Math.max(age, 0);
}

/** Moves an entry to `place` under a name that says what it was, and gives that path. Follows nothing. Throws DISK_FULL, TOOL_FAILED or an errno. */
export function moveAside(place: string, folder: string, name: BytePath): string {
  ensureDirectory(place);
  const kept = join(
    place,
    `${name.replaceAll(/[^A-Za-z0-9_.-]/g, '_').slice(0, 64)}.${process.pid}.${process.hrtime.bigint()}`,
  );
  renameSync(pathOf(folder, name), kept);
  return kept;
}
