// Owns the canonical tar of a root filesystem: sorted, one owner, one time. An image's digest is the sha256 of these bytes.
import { createHash } from 'node:crypto';
import { closeSync, constants, lstatSync, openSync, readdirSync, readlinkSync, readSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type * as Tar from 'tar';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { onDemand } from '../base/onDemand.ts';
import { imageEpoch } from './extract.ts';
import type { Digest } from './schema.ts';

const library = onDemand<typeof Tar>('tar');

const block = 512;
const time = new Date(imageEpoch * 1000);

export interface EntryFields {
  path: string;
  type: 'File' | 'Directory' | 'SymbolicLink' | 'Link';
  mode: number;
  size: number;
  linkpath?: string;
}

/** The header of one entry, of owner 0:0 and the fixed time, with an extended one before it where the path needs it. */
export function encodeHeader(fields: EntryFields): Uint8Array[] {
  const common = { ...fields, uid: 0, gid: 0, uname: '', gname: '', mtime: time };
  const buffer = Buffer.alloc(block);
  const { Header, Pax } = library();
  const needsPax = new Header(common).encode(buffer);
  if (!needsPax) return [buffer];
  const { path, linkpath, size } = fields;
  const extended = new Pax({ path, size, mtime: time, ...(linkpath === undefined ? {} : { linkpath }) });
  return [extended.encode(), buffer];
}

function padding(size: number): Uint8Array {
  return Buffer.alloc((block - (size % block)) % block);
}

function* readFile(file: string, size: number): Generator<Uint8Array> {
  const fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const buffer = Buffer.alloc(1 << 18);
    for (let left = size; left > 0; ) {
      const got = readSync(fd, buffer, 0, Math.min(left, buffer.length), null);
      if (got === 0) throw new Error('it became shorter while it was read');
      left -= got;
      yield Buffer.from(buffer.subarray(0, got));
    }
  } finally {
    closeSync(fd);
  }
}

function* archiveEntry(root: string, path: string, found: Stats, seen: Map<string, string>): Generator<Uint8Array> {
  const full = join(root, path);
  const mode = found.mode & 0o777;
  if (found.isDirectory()) yield* encodeHeader({ path: `${path}/`, type: 'Directory', mode, size: 0 });
  else if (found.isSymbolicLink()) {
    yield* encodeHeader({ path, type: 'SymbolicLink', mode: 0o777, size: 0, linkpath: readlinkSync(full) });
  } else if (found.isFile()) {
    const inode = `${found.dev}:${found.ino}`;
    const first = seen.get(inode);
    if (found.nlink > 1 && first !== undefined) {
      yield* encodeHeader({ path, type: 'Link', mode, size: 0, linkpath: first });
      return;
    }
    seen.set(inode, path);
    yield* encodeHeader({ path, type: 'File', mode, size: found.size });
    yield* readFile(full, found.size);
    yield padding(found.size);
  } else throw new CofferdamError('IMAGE_UNSAFE', `${full} is no file, folder or link`);
}

function* archiveFolder(root: string, folder: string, seen: Map<string, string>): Generator<Uint8Array> {
  // By bytes: the same order on every host.
  const names = readdirSync(join(root, folder)).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) {
    const path = folder === '' ? name : `${folder}/${name}`;
    const found = lstatSync(join(root, path));
    yield* archiveEntry(root, path, found, seen);
    if (found.isDirectory()) yield* archiveFolder(root, path, seen);
  }
}

/**
 * The canonical tar of `root`, piece by piece. Owner 0:0 and a fixed time stand for all entries, so the bytes depend on
 * names, kinds, modes, links and contents only, and `save`, `load` and a check of the tree give one digest. Throws
 * TOOL_FAILED when something cannot be read.
 */
export function* archiveTree(root: string): Generator<Uint8Array> {
  try {
    yield* archiveFolder(root, '', new Map());
    yield Buffer.alloc(2 * block);
  } catch (cause) {
    if (cause instanceof CofferdamError || errnoOf(cause) === undefined) throw cause;
    throw new CofferdamError('TOOL_FAILED', `cannot read the image: ${messageOf(cause)}`, {
      cause,
      remedy: 'run it as the user who owns the store',
    });
  }
}

/** Digest and size of the canonical tar of `root`. Gives the event loop its turn every few megabytes. */
export async function digestTree(root: string, signal?: AbortSignal): Promise<{ digest: Digest; bytes: number }> {
  const hash = createHash('sha256');
  let bytes = 0;
  let sinceTurn = 0;
  for (const chunk of archiveTree(root)) {
    hash.update(chunk);
    bytes += chunk.length;
    sinceTurn += chunk.length;
    if (sinceTurn < 4 << 20) continue;
    sinceTurn = 0;
    await new Promise(setImmediate);
    signal?.throwIfAborted();
  }
  return { digest: `sha256:${hash.digest('hex')}`, bytes };
}

/** An entry of a tar of our own with `size` bytes of content, for what stands beside the tree in a saved image. */
export function entryHeader(path: string, size: number): Uint8Array[] {
  return encodeHeader({ path, type: 'File', mode: 0o644, size });
}

/** What follows the content of an entry of `size` bytes. */
export function entryPadding(size: number): Uint8Array {
  return padding(size);
}
