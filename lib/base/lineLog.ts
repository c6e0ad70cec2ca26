// Owns logs of lines that are bounded by rotation: NAME.log is written to, NAME.1.log came before it, NAME.2.log before that.
import { closeSync, constants, fstatSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from './errors.ts';
import { diskError, ensureDirectory } from './files.ts';
import { FolderWaker } from './folderWaker.ts';
import { readLines } from './lines.ts';

export interface LineLog {
  readonly folder: string;
  /** `access` for access.log, access.1.log, …. */
  readonly name: string;
  /** How many files are kept beside the one that is written to. */
  readonly kept: number;
  /** Bytes after which a file is set aside. */
  readonly rotateAt: number;
  /** Of its files. Default 0600. */
  readonly mode?: number | undefined;
}

/** Bytes; a longer line is not read. */
export const longestLine = 1 << 16;

const fileOf = ({ folder, name }: LineLog, number: number) =>
  join(folder, number === 0 ? `${name}.log` : `${name}.${number}.log`);

/** Sets every file one further; the oldest goes. Who writes with a descriptor of its own opens the file anew then. */
export function rotateLines(log: LineLog): void {
  for (let number = log.kept; number >= 1; number--) {
    try {
      renameSync(fileOf(log, number - 1), fileOf(log, number));
    } catch (cause) {
      if (errnoOf(cause) !== 'ENOENT') throw diskError(cause, `cannot rotate ${fileOf(log, number - 1)}`);
    }
  }
}

/**
 * Appends lines, without their newlines, in one write: several processes may. Only one of them, the log's owner, passes
 * `rotate`. Throws DISK_FULL or TOOL_FAILED.
 */
export function appendLines(log: LineLog, lines: readonly string[], rotate: boolean): void {
  const file = fileOf(log, 0);
  ensureDirectory(log.folder);
  try {
    const size = rotate ? statSync(file, { throwIfNoEntry: false })?.size : undefined;
    if (size !== undefined && size >= log.rotateAt) rotateLines(log);
    const flags =
      constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    const fd = openSync(file, flags, log.mode ?? 0o600);
    try {
      const bytes = Buffer.from(`${lines.join('\n')}\n`);
      if (writeSync(fd, bytes) < bytes.length) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' });
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    throw diskError(cause, `cannot write ${file}`);
  }
}

interface OpenLines {
  readonly fd: number;
  readonly inode: bigint;
  at: number;
}

function openLines(file: string): OpenLines | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    // A link is nobody's log of ours.
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR' || errnoOf(cause) === 'ELOOP') return undefined;
    throw diskError(cause, `cannot read ${file}`);
  }
  const found = fstatSync(fd, { bigint: true });
  if (found.isFile()) return { fd, inode: found.ino, at: 0 };
  closeSync(fd);
  return undefined;
}

// The whole lines that were added since the last time; what has no newline yet is looked at again.
function* readNew(file: OpenLines): Generator<string> {
  const { size } = fstatSync(file.fd);
  for (const line of readLines(file.fd, { from: file.at, to: size, most: longestLine })) {
    if (!line.ended) return;
    file.at = line.end;
    if (line.bytes !== undefined) yield line.bytes.toString('utf8');
  }
}

// The files that came after `last`, oldest first; all of them when it has been rotated away.
function openAfter(log: LineLog, last: bigint | undefined): OpenLines[] {
  const opened: OpenLines[] = [];
  for (let number = 0; number <= log.kept; number++) {
    const file = openLines(fileOf(log, number));
    if (file === undefined) continue;
    if (file.inode === last) {
      closeSync(file.fd);
      break;
    }
    // One that was renamed while we looked is seen under both names.
    if (opened.some(({ inode }) => inode === file.inode)) closeSync(file.fd);
    else opened.unshift(file);
  }
  return opened;
}

/**
 * The lines of all files, oldest first, as they were written and so untrusted; one file is in memory line by line. Longer
 * ones than `longestLine` bytes are left out. With a signal it waits for more, over rotations, until that is aborted.
 */
export async function* tailLines(log: LineLog, signal?: AbortSignal): AsyncGenerator<string> {
  const waker = signal === undefined ? undefined : new FolderWaker(log.folder, signal);
  let current: OpenLines | undefined;
  let queue: OpenLines[] = [];
  try {
    for (;;) {
      if (current !== undefined) yield* readNew(current);
      queue = openAfter(log, current?.inode);
      // Once more: it may have been written to until its successor was made.
      if (current !== undefined && queue.length > 0) yield* readNew(current);
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        if (current !== undefined) closeSync(current.fd);
        current = next;
        yield* readNew(current);
      }
      if (waker === undefined || signal === undefined || signal.aborted) return;
      await waker.wait();
    }
  } finally {
    waker?.close();
    for (const file of queue) closeSync(file.fd);
    if (current !== undefined) closeSync(current.fd);
  }
}
