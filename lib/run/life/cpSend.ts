// Owns the tar of a host file or folder that goes into a sandbox: regular files and folders, read without following a link.
import { closeSync, constants, fstatSync, lstatSync, openSync, readdirSync, readSync, type Stats } from 'node:fs';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { encodeHeader, entryPadding } from '../../image/archive.ts';
import { at, type BytePath, decodePath, folderPath, fromBytes, openFolder, showPath } from '../beneath.ts';
import type { CpBounds } from './cpEntry.ts';

/** Names in the tar: what is sent, and the last entry, without which nothing is put in place. */
export const sentNames = { data: 'data', whole: 'whole' } as const;

const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY;
const chunkBytes = 256 << 10;
const mostRefused = 1000;

export interface SendRequest {
  /** An open folder, and the name in it of what is sent. */
  readonly folder: number;
  readonly name: BytePath;
  readonly bounds: CpBounds;
}

export class CpSender {
  readonly refused: { path: string; why: string }[] = [];
  refusedMore = 0;
  files = 0;
  bytes = 0;
  /** Why the tar ended before its end. */
  fault: unknown;
  readonly #request: SendRequest;

  constructor(request: SendRequest) {
    this.#request = request;
  }

  /** The tar. It never throws: what went wrong stands in `fault`, and the last entry is missing. */
  async *stream(): AsyncGenerator<Uint8Array> {
    const { folder, name } = this.#request;
    try {
      yield* this.#entry(folder, name, '', sentNames.data);
      yield* encodeHeader({ path: sentNames.whole, type: 'File', mode: 0o600, size: 0 });
      yield Buffer.alloc(1024);
    } catch (cause) {
      this.fault =
        cause instanceof CofferdamError
          ? cause
          : new CofferdamError('CP_REFUSED', `it cannot be read: ${messageOf(cause)}`, { cause });
    }
  }

  #refuse(path: BytePath, why: string): void {
    if (this.refused.length < mostRefused) this.refused.push({ path: showPath(path), why });
    else this.refusedMore += 1;
  }

  #exceeds(what: string): CofferdamError {
    return new CofferdamError('CP_REFUSED', `what is to be copied holds more than ${what}`, {
      remedy: 'copy less at a time, or raise --max-files, --max-bytes',
    });
  }

  /** `path` below what is sent, '' for itself; `inTar` the same in the tar. */
  *#entry(folder: number, name: BytePath, path: BytePath, inTar: string): Generator<Uint8Array> {
    const found = lstatSync(at(folder, name));
    const why = this.#findFault(found, path);
    if (why !== undefined) {
      if (path === '') throw new CofferdamError('CP_REFUSED', `${showPath(name)} is not copied: ${why}`);
      this.#refuse(path, why);
    } else if (found.isDirectory()) {
      const opened = openFolder(folder, name);
      try {
        yield* encodeHeader({ path: `${inTar}/`, type: 'Directory', mode: (found.mode & 0o777) | 0o700, size: 0 });
        yield* this.#members(opened, path, inTar);
      } finally {
        closeSync(opened);
      }
    } else yield* this.#file(folder, name, inTar);
  }

  #findFault(found: Stats, path: BytePath): string | undefined {
    if (decodePath(path) === undefined) return 'its name is not UTF-8';
    if (path.length > 4000) return 'its path is too long';
    if (found.isSymbolicLink()) return 'it is a link';
    if (!found.isFile() && !found.isDirectory()) return 'it is neither a file nor a folder';
    const { maxDepth } = this.#request.bounds;
    return path.split('/').length > maxDepth ? `it lies deeper than ${maxDepth} folders` : undefined;
  }

  *#members(folder: number, path: BytePath, inTar: string): Generator<Uint8Array> {
    for (const name of readdirSync(folderPath(folder), { encoding: 'buffer' }).map(fromBytes).sort()) {
      const below = path === '' ? name : `${path}/${name}`;
      yield* this.#entry(folder, name, below, `${inTar}/${decodePath(name) ?? ''}`);
    }
  }

  *#file(folder: number, name: BytePath, inTar: string): Generator<Uint8Array> {
    const { maxBytes, maxCount } = this.#request.bounds;
    const file = openSync(at(folder, name), readFlags);
    try {
      // Again on what is open now: this is the file that is read.
      const found = fstatSync(file);
      if (!found.isFile()) throw new Error(`${showPath(name)} was swapped while it was read`);
      this.files += 1;
      this.bytes += found.size;
      if (this.files > maxCount) throw this.#exceeds(`${maxCount} files`);
      if (this.bytes > maxBytes) throw this.#exceeds(`${maxBytes} bytes`);
      yield* encodeHeader({ path: inTar, type: 'File', mode: (found.mode & 0o777) | 0o600, size: found.size });
      for (let left = found.size; left > 0; ) {
        const chunk = Buffer.allocUnsafe(Math.min(left, chunkBytes));
        const got = readSync(file, chunk);
        if (got === 0) throw new Error(`${showPath(name)} became shorter while it was read`);
        left -= got;
        yield chunk.subarray(0, got);
      }
      yield entryPadding(found.size);
    } finally {
      closeSync(file);
    }
  }
}
