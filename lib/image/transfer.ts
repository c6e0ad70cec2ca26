// Owns moving an image between hosts as one file: a tar of image.json, packages.json, sbom.cdx.json and rootfs.tar.
import { closeSync, createReadStream, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { Parser, type ReadEntry } from 'tar';
import { CofferdamError, messageOf } from '../base/errors.ts';
import { diskError, readTextIfPresent } from '../base/files.ts';
import { printable } from '../base/printable.ts';
import { parseStrict } from '../base/strict.ts';
import { archiveTree, digestTree, entryHeader, entryPadding } from './archive.ts';
import type { BuildUser } from './builduser.ts';
import { openExtraction, type TarSink } from './extract.ts';
import type { InstalledImage } from './find.ts';
import { openPartial } from './partial.ts';
import { publishImage } from './publish.ts';
import { type ImageRecord, recordSchema } from './registry.ts';
import { checkRootfs } from './rootfs.ts';
import { makeSharedFolder, writeSharedFile } from './shared.ts';

const documents = ['image.json', 'packages.json', 'sbom.cdx.json'] as const;
const most = 64 << 20;

async function writeAll(fd: number, chunks: Iterable<Uint8Array>, signal: AbortSignal): Promise<number> {
  let bytes = 0;
  let sinceTurn = 0;
  for (const chunk of chunks) {
    for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
    bytes += chunk.length;
    sinceTurn += chunk.length;
    if (sinceTurn < 4 << 20) continue;
    sinceTurn = 0;
    await new Promise(setImmediate);
    signal.throwIfAborted();
  }
  return bytes;
}

/** Writes `image` to `file`, beside it first. Throws DISK_FULL, TOOL_FAILED, IMAGE_UNSAFE when the tree has changed. */
export async function saveImage(image: InstalledImage, file: string, signal: AbortSignal): Promise<void> {
  const beside = `${file}.new-${process.pid}`;
  try {
    const fd = openSync(beside, 'wx', 0o644);
    try {
      for (const name of documents) {
        const bytes = Buffer.from(readTextIfPresent(join(image.directory, name), most) ?? '{}');
        await writeAll(fd, [...entryHeader(name, bytes.length), bytes, entryPadding(bytes.length)], signal);
      }
      const { bytes } = image.record;
      await writeAll(fd, entryHeader('rootfs.tar', bytes), signal);
      const written = await writeAll(fd, archiveTree(image.rootfs), signal);
      if (written !== bytes) throw new CofferdamError('IMAGE_UNSAFE', `${image.rootfs} has changed since it was built`);
      await writeAll(fd, [entryPadding(bytes), Buffer.alloc(1024)], signal);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(beside, file);
  } catch (cause) {
    rmSync(beside, { force: true });
    if (cause instanceof CofferdamError || signal.aborted) throw cause;
    throw diskError(cause, `cannot write ${printable(file)}`);
  }
}

function refuse(what: string): CofferdamError {
  return new CofferdamError('IMAGE_UNSAFE', `not an image that was saved by us: ${what}`);
}

/** Takes the outer tar apart: documents into `texts`, the tree into `sink`. Anything else is refused. */
function readOuter(texts: Map<string, string>, sink: TarSink): Parser {
  return new Parser({
    strict: true,
    onReadEntry: (entry: ReadEntry) => {
      const isDocument = documents.some((name) => name === entry.path);
      const known = entry.type === 'File' && (isDocument || entry.path === 'rootfs.tar');
      if (!known || texts.has(entry.path)) throw refuse(`it holds "${printable(entry.path, 80)}"`);
      if (isDocument && (entry.size ?? 0) > most) throw refuse(`${entry.path} is too large`);
      texts.set(entry.path, '');
      const parts: Buffer[] = [];
      entry.on('data', (chunk: Buffer) => {
        if (isDocument) parts.push(Buffer.from(chunk));
        else sink.write(chunk);
      });
      entry.on('end', () => {
        texts.set(entry.path, Buffer.concat(parts).toString('utf8'));
      });
    },
  });
}

async function unpack(file: string, rootfs: string, signal: AbortSignal): Promise<Map<string, string>> {
  const texts = new Map<string, string>();
  const sink = openExtraction(rootfs, { setId: 'refuse' });
  const parser = readOuter(texts, sink);
  let fault: unknown;
  parser.on('error', (error: unknown) => {
    fault ??= error;
  });
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) {
      signal.throwIfAborted();
      parser.write(chunk as Buffer);
      if (fault !== undefined) throw fault;
    }
    parser.end();
    if (fault !== undefined) throw fault;
    sink.end();
  } catch (cause) {
    if (cause instanceof CofferdamError || signal.aborted) throw cause;
    if (cause instanceof Error && 'tarCode' in cause) throw refuse(printable(messageOf(cause)));
    throw diskError(cause, `cannot read ${printable(file)}`);
  }
  return texts;
}

function readRecord(texts: ReadonlyMap<string, string>): ImageRecord {
  const text = texts.get('image.json');
  if (text === undefined || !texts.has('rootfs.tar')) throw refuse('image.json or rootfs.tar is missing');
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refuse(`image.json: ${printable(messageOf(cause))}`);
  }
  return parseStrict(recordSchema, { file: 'image.json', value, where: () => 'image.json' });
}

export interface LoadInput {
  readonly file: string;
  readonly store: string;
  readonly user: BuildUser;
  readonly uid: number;
  /** The digest the caller expects; without it the file's own claim is checked. */
  readonly digest: string | undefined;
  readonly signal: AbortSignal;
}

/**
 * Takes a saved image into `store`. The tree is unpacked as hostile (no path, link or hard link out of it, no devices, no
 * set-id), and its digest is computed anew. Throws IMAGE_UNSAFE, IMAGE_DIGEST, CONFIG_INVALID, DISK_FULL.
 */
export async function loadImage(input: LoadInput): Promise<ImageRecord> {
  const partial = await openPartial(input.store, input.uid, input.user);
  try {
    const rootfs = join(partial.image, 'rootfs');
    makeSharedFolder(rootfs);
    const texts = await unpack(input.file, rootfs, input.signal);
    const claimed = readRecord(texts);
    checkRootfs(rootfs);
    const { digest, bytes } = await digestTree(rootfs, input.signal);
    for (const expected of [claimed.digest, input.digest ?? digest]) {
      if (expected === digest) continue;
      throw new CofferdamError(
        'IMAGE_DIGEST',
        `${printable(input.file)} holds ${digest}, not ${printable(expected, 80)}`,
      );
    }
    const record = { ...claimed, bytes };
    writeSharedFile(join(partial.image, 'image.json'), `${JSON.stringify(record, null, 2)}\n`);
    for (const name of ['packages.json', 'sbom.cdx.json']) {
      writeSharedFile(join(partial.image, name), texts.get(name) ?? '{}\n');
    }
    return await publishImage(input.store, partial.image, record);
  } finally {
    await partial.close();
  }
}
