// Owns writing files so that a reader sees the old one or the new one, never half of it, and reading with bounds.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from './errors.ts';

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
  const beside = `${file}.${randomBytes(6).toString('hex')}.new`;
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

/**
 * The text of a regular file of at most `most` bytes, or undefined when there is none. Throws CONFIG_UNREADABLE when
 * it is there but cannot be read: a configuration is never replaced by defaults.
 */
export function readTextIfPresent(file: string, most = 1 << 20): string | undefined {
  try {
    const found = statSync(file);
    if (!found.isFile()) throw new Error('not a regular file');
    if (found.size > most) throw new Error(`larger than ${most} bytes`);
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return undefined;
    throw new CofferdamError('CONFIG_UNREADABLE', `cannot read ${file}: ${messageOf(cause)}`, { cause });
  }
}
