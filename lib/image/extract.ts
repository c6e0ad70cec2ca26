// Owns unpacking a tar into a folder of ours without trusting it: nothing leaves the tree, no devices, plain modes.
import {
  chmodSync,
  closeSync,
  constants,
  createReadStream,
  fchmodSync,
  futimesSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  openSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type * as Tar from 'tar';
import type { ReadEntry } from 'tar';
import { CofferdamError, messageOf } from '../base/errors.ts';
import { diskError } from '../base/files.ts';
import { onDemand } from '../base/onDemand.ts';
import { printable } from '../base/printable.ts';

const library = onDemand<typeof Tar>('tar');

/** Seconds of every timestamp in an image: fixed, so that two builds are the same bytes. 2025-01-01. */
export const imageEpoch = 1_735_689_600;

export interface ExtractOptions {
  /** What is done with set-id bits: a fresh build loses them, a tar from elsewhere must not have them. */
  setId: 'strip' | 'refuse';
  /** Top folders whose content is left out, as `dev` of a build: the runtime brings its own. */
  omit?: readonly string[];
  /** Files whose content is wanted as well, decided by path. At most 16 MiB each. */
  capture?: (path: string) => boolean;
  signal?: AbortSignal;
}

const most = { entries: 1_000_000, bytes: 32 * 2 ** 30, captured: 16 << 20 };

function unsafe(path: string, what: string): CofferdamError {
  return new CofferdamError('IMAGE_UNSAFE', `the archive holds "${printable(path, 120)}", ${what}`);
}

/** `./usr/bin/` as `usr/bin`; '' for the top. Throws IMAGE_UNSAFE when it could lead elsewhere. */
function cleanPath(raw: string): string {
  const path = raw.replace(/^(\.\/)+/, '').replace(/\/+$/, '');
  if (path === '' || path === '.') return '';
  const steps = path.split('/');
  if (path.startsWith('/') || steps.some((step) => step === '' || step === '.' || step === '..')) {
    throw unsafe(raw, 'which leads out of the tree');
  }
  // U+FFFD stands for bytes that are no UTF-8: the name could not be written back the same.
  if (/[\0\ufffd]/.test(path) || Buffer.byteLength(path) > 4000) throw unsafe(raw, 'which is no name we can keep');
  return path;
}

/** Whether a relative link at `path` climbs above the top. An absolute one is read inside the guest's own root. */
function climbsOut(path: string, target: string): boolean {
  if (target.startsWith('/')) return false;
  let depth = path.split('/').length - 1;
  for (const step of target.split('/')) {
    if (step === '..') depth -= 1;
    else if (step !== '' && step !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

/** Readable by its owner, writable by nobody else, no set-id or sticky bit: guests reach it as "other". */
function plainMode(mode: number, kind: 'folder' | 'file'): number {
  return (mode & 0o755) | (kind === 'folder' ? 0o700 : 0o400);
}

/** One extraction: which paths exist so far, as what. A name is made once, below folders that we made. */
class Extraction {
  readonly captured = new Map<string, Buffer>();
  readonly #made = new Map<string, 'folder' | 'file' | 'link'>([['', 'folder']]);
  readonly #folderModes = new Map<string, number>();
  readonly #root: string;
  readonly #options: ExtractOptions;
  #bytes = 0;
  #open: number | undefined;

  constructor(root: string, options: ExtractOptions) {
    this.#root = root;
    this.#options = options;
  }

  add(entry: ReadEntry): void {
    const path = cleanPath(entry.path);
    const omitted = this.#options.omit?.some((top) => path.startsWith(`${top}/`)) ?? false;
    if (omitted || (path === '' && entry.type === 'Directory')) {
      entry.resume();
      return;
    }
    const mode = entry.mode ?? 0;
    if ((mode & 0o6000) !== 0 && this.#options.setId === 'refuse') throw unsafe(path, 'which is set-id');
    if (this.#made.size > most.entries) throw unsafe(path, `after ${most.entries} others`);
    this.#bytes += entry.size ?? 0;
    if (this.#bytes > most.bytes) throw unsafe(path, 'which makes it larger than 32 GiB');
    if (entry.type === 'Directory') this.#addFolder(path, mode);
    else {
      this.#claim(path, entry.type === 'SymbolicLink' ? 'link' : 'file');
      const linked = entry.linkpath ?? '';
      if (entry.type === 'SymbolicLink') this.#addSymlink(path, linked);
      else if (entry.type === 'Link') this.#addHardLink(path, cleanPath(linked));
      else if (entry.type === 'File' || entry.type === 'OldFile') this.#addFile(entry, path, mode);
      else throw unsafe(path, `which is a ${entry.type}`);
    }
    if (entry.type !== 'File' && entry.type !== 'OldFile') entry.resume();
  }

  /** Closes the file that is being written. */
  abandon(): void {
    if (this.#open !== undefined) closeSync(this.#open);
    this.#open = undefined;
  }

  /** Folders last: making files in them changes their times, and some are not writable. */
  finish(): void {
    for (const [path, mode] of [...this.#folderModes].reverse()) {
      chmodSync(join(this.#root, path), mode);
      utimesSync(join(this.#root, path), imageEpoch, imageEpoch);
    }
    chmodSync(this.#root, 0o755);
    utimesSync(this.#root, imageEpoch, imageEpoch);
  }

  #claim(path: string, kind: 'folder' | 'file' | 'link'): void {
    if (this.#made.has(path)) throw unsafe(path, 'twice');
    const parent = dirname(path) === '.' ? '' : dirname(path);
    const above = this.#made.get(parent);
    if (above === undefined) this.#addFolder(parent, 0o755);
    else if (above !== 'folder') throw unsafe(path, `below a ${above}`);
    this.#made.set(path, kind);
  }

  #addFolder(path: string, mode: number): void {
    this.#claim(path, 'folder');
    mkdirSync(join(this.#root, path), 0o700);
    this.#folderModes.set(path, plainMode(mode, 'folder'));
  }

  #addSymlink(path: string, target: string): void {
    if (target === '' || /[\0\ufffd]/.test(target)) throw unsafe(path, 'a link to no name');
    if (climbsOut(path, target)) throw unsafe(path, 'a link that leads out of the tree');
    symlinkSync(target, join(this.#root, path));
    lutimesSync(join(this.#root, path), imageEpoch, imageEpoch);
  }

  #addHardLink(path: string, target: string): void {
    if (this.#made.get(target) !== 'file') throw unsafe(path, 'a hard link to something that is not a file before it');
    linkSync(join(this.#root, target), join(this.#root, path));
  }

  #addFile(entry: ReadEntry, path: string, mode: number): void {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = openSync(join(this.#root, path), flags, 0o600);
    this.#open = fd;
    const wanted = this.#options.capture?.(path) === true && (entry.size ?? 0) <= most.captured;
    const kept: Buffer[] = [];
    entry.on('data', (chunk: Buffer) => {
      for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
      if (wanted) kept.push(Buffer.from(chunk));
    });
    entry.on('end', () => {
      // fchmod after the open: the umask has no say.
      fchmodSync(fd, plainMode(mode, 'file'));
      futimesSync(fd, imageEpoch, imageEpoch);
      this.abandon();
      if (wanted) this.captured.set(path, Buffer.concat(kept));
    });
  }
}

export interface TarSink {
  write(chunk: Uint8Array): void;
  /** Ends it; the captured files by path. */
  end(): Map<string, Buffer>;
}

/**
 * Unpacks what is written into the empty folder `root`. Owners are not kept: all belongs to the caller. Throws
 * IMAGE_UNSAFE for a hostile or broken archive, DISK_FULL, TOOL_FAILED; the caller removes what was written.
 */
export function openExtraction(root: string, options: ExtractOptions): TarSink {
  const extraction = new Extraction(root, options);
  let fault: unknown;
  const guard = (act: () => void) => {
    try {
      if (fault === undefined) act();
    } catch (thrown) {
      fault = thrown;
    }
    if (fault === undefined) return;
    extraction.abandon();
    if (fault instanceof CofferdamError) throw fault;
    const ofArchive = fault instanceof Error && 'tarCode' in fault;
    if (ofArchive) throw new CofferdamError('IMAGE_UNSAFE', `the archive is broken: ${printable(messageOf(fault))}`);
    throw diskError(fault, `cannot unpack into ${root}`);
  };
  const parser = new (library().Parser)({ strict: true, onReadEntry: (entry) => guard(() => extraction.add(entry)) });
  parser.on('error', (error: unknown) => {
    fault ??= error;
  });
  // node-tar passes over kinds it does not know (sparse files, vendor kinds): what we cannot keep, we refuse.
  parser.on('ignoredEntry', (entry: ReadEntry) => {
    fault ??= unsafe(entry.path, `which is a ${entry.type}`);
  });
  return {
    write: (chunk) => guard(() => void parser.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))),
    end: () => {
      guard(() => void parser.end());
      guard(() => extraction.finish());
      return extraction.captured;
    },
  };
}

/** Unpacks the file `tar` into `root`; see openExtraction. Stops when `signal` is aborted. */
export async function extractTar(tar: string, root: string, options: ExtractOptions): Promise<Map<string, Buffer>> {
  const sink = openExtraction(root, options);
  for await (const chunk of createReadStream(tar, { highWaterMark: 1 << 20 })) {
    options.signal?.throwIfAborted();
    sink.write(chunk as Uint8Array);
  }
  return sink.end();
}
