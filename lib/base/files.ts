// Owns writing files so that a reader sees the old one or the new one, never half of it, and reading with bounds.
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from './errors.ts';
import { randomHex } from './ids.ts';
import { printable } from './printable.ts';

/** Makes `directory` and its parents, mode 0700 unless told otherwise. */
export function ensureDirectory(directory: string, mode = 0o700): void {
  try {
    mkdirSync(directory, { recursive: true, mode });
  } catch (cause) {
    throw diskError(cause, `cannot make ${directory}`);
  }
}

/** ENOSPC and EDQUOT become DISK_FULL; everything else TOOL_FAILED with `what` in front. */
export function diskError(cause: unknown, what: string): CofferdamError {
  const errno = errnoOf(cause);
  const full = errno === 'ENOSPC' || errno === 'EDQUOT';
  return new CofferdamError(full ? 'DISK_FULL' : 'TOOL_FAILED', `${what}: ${messageOf(cause)}`, { cause });
}

/**
 * Writes `content` beside `file`, fsyncs it and its folder, and renames it into place. On any failure nothing of it
 * stays. Throws DISK_FULL or TOOL_FAILED.
 */
export function writeFileAtomic(file: string, content: string | Uint8Array, mode = 0o600): void {
  const beside = `${file}.${randomHex(6)}.new`;
  ensureDirectory(dirname(file));
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = openSync(beside, flags, mode);
    try {
      const bytes = typeof content === 'string' ? Buffer.from(content) : content;
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, file);
    syncDirectory(dirname(file));
  } catch (cause) {
    rmSync(beside, { force: true });
    throw diskError(cause, `cannot write ${file}`);
  }
}

/** Makes a rename or creation in `directory` durable. */
export function syncDirectory(directory: string): void {
  const fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Names in a folder; none when it is not there: not yet, or no longer. */
export function listIfPresent(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return [];
    throw cause;
  }
}

/** Whose file it is and who may write to it, for a reader that trusts only some. */
export interface FileOwner {
  readonly uid: number;
  /** Permission bits, `0o644`. */
  readonly mode: number;
}

/** Why a file with this owner and mode must not be trusted, or undefined. */
export type Distrust = (owner: FileOwner) => string | undefined;

const chunkSize = 65_536;

// In chunks: most files are small, and a buffer of the bound's size costs more than reading them.
function readBounded(fd: number, most: number): string {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(Math.min(chunkSize, most + 1));
    const got = readSync(fd, chunk, 0, chunk.length, null);
    length += got;
    // The size is counted here and not taken from stat: /proc says 0, and a file may grow meanwhile.
    if (length > most) throw new Error(`larger than ${most} bytes`);
    if (got === 0) break;
    chunks.push(chunk.subarray(0, got));
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch {
    throw new Error('not valid UTF-8');
  }
}

/**
 * The text of a regular file of at most `most` bytes, or undefined when there is none; a byte order mark is dropped. Throws CONFIG_UNREADABLE
 * when it is there but cannot be read or trusted: a configuration is never replaced by defaults. The file that is
 * checked is the one that is read (one descriptor), and a fifo or device is refused without waiting for it.
 */
export function readTextIfPresent(file: string, most = 1 << 20, distrust?: Distrust): string | undefined {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    const found = fstatSync(fd);
    if (!found.isFile()) throw new Error('not a regular file');
    const reason = distrust?.({ uid: found.uid, mode: found.mode & 0o7777 });
    if (reason !== undefined) throw new Error(reason);
    return readBounded(fd, most);
  } catch (cause) {
    if (fd === undefined && (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR')) return undefined;
    throw new CofferdamError('CONFIG_UNREADABLE', `cannot read ${printable(file)}: ${messageOf(cause)}`, { cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
