// Owns copying what a dead guest left in /artifacts out to a host folder: regular files only, bounded, nothing followed.
import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  writeSync,
} from 'node:fs';
import { CofferdamError, errnoOf } from '../base/errors.ts';
import { diskError, writeFileAtomic } from '../base/files.ts';
import { printable } from '../base/printable.ts';
import { at, type BytePath, decodePath, folderPath, fromBytes, openFolder, openReal, showPath } from './beneath.ts';
import { isGuardedPath, looksLikeGitDirectory } from './guardedPlaces.ts';
import type { Artifact } from './result.ts';

export interface CollectRequest {
  /** A tmpfs of the run, absolute. */
  readonly from: string;
  /** An empty folder, absolute and real (prepareArtifactsFolder). */
  readonly to: string;
  readonly maxCount: number;
  /** Logical bytes of all files together: a sparse file counts whole. */
  readonly maxBytes: number;
  /** Folders in folders. */
  readonly maxDepth: number;
}

export interface Collected {
  readonly artifacts: Artifact[];
  /** At most 1000, in the order of the walk. */
  readonly refused: { readonly path: string; readonly why: string }[];
  /** How many more were refused. */
  readonly refusedMore: number;
}

/** The list of what was copied, beside it. No artifact can have this name. */
export const manifestName = 'cofferdam-manifest.json';
const partName = '.cofferdam-part';

const mostRefused = 1000;
/** Of all paths together, so that the result stays readable. */
const mostPathBytes = 16 << 20;
const chunkBytes = 1 << 20;

interface Level {
  readonly from: number;
  readonly path: BytePath;
  /** The same folder at the destination, made when the first file is copied into it. */
  target(): number;
}

class Collector {
  readonly artifacts: Artifact[] = [];
  readonly refused: { path: string; why: string }[] = [];
  refusedMore = 0;
  private bytes = 0;
  private pathBytes = 0;
  private readonly buffer = Buffer.allocUnsafe(chunkBytes);
  private readonly request: CollectRequest;
  private readonly device: number;

  constructor(request: CollectRequest, device: number) {
    this.request = request;
    this.device = device;
  }

  private refuse(path: BytePath, why: string): void {
    if (this.refused.length < mostRefused) this.refused.push({ path: showPath(path), why });
    else this.refusedMore += 1;
  }

  private findRefusal(found: Stats, path: BytePath, inGit: boolean): string | undefined {
    const { maxCount, maxBytes, maxDepth } = this.request;
    const name = path.slice(path.lastIndexOf('/') + 1);
    const text = decodePath(name);
    if (text === undefined || printable(text, 256) !== text)
      return 'its name is not UTF-8, or holds invisible characters';
    // PATH_MAX: what the result names whole can be opened in one piece.
    if (path.length > 4000) return 'its path is too long';
    if (found.isSymbolicLink()) return 'it is a link';
    if (!found.isFile() && !found.isDirectory()) return 'it is neither a file nor a folder';
    if (found.dev !== this.device) return 'it lies on another file system';
    if (isGuardedPath(name)) return 'its name stands for a place that runs code on the host; pack it into an archive';
    if (inGit && name.toLowerCase() === 'head')
      return 'it would make its folder a git directory; pack it into an archive';
    if (found.isDirectory())
      return path.split('/').length > maxDepth ? `it lies deeper than ${maxDepth} folders` : undefined;
    if (path === manifestName || name === partName) return 'its name is ours';
    if (this.artifacts.length >= maxCount) return `there are more than ${maxCount} files`;
    if (this.bytes + found.size > maxBytes) return `all files together are larger than ${maxBytes} bytes`;
    if (this.pathBytes + path.length > mostPathBytes) return 'the names of all files are too long';
    return undefined;
  }

  walk(level: Level): void {
    const names = readdirSync(folderPath(level.from), { encoding: 'buffer' }).map(fromBytes).sort();
    const inGit = looksLikeGitDirectory(new Set(names.map((name) => name.toLowerCase())));
    for (const name of names) {
      const path = level.path === '' ? name : `${level.path}/${name}`;
      try {
        const found = lstatSync(at(level.from, name));
        const why = this.findRefusal(found, path, inGit);
        if (why !== undefined) this.refuse(path, why);
        else if (found.isDirectory()) this.enter(level, name, path);
        else this.copy(level, name, path);
      } catch (cause) {
        // What is not what lstat said has been swapped; nobody should be left to do it, so it is only reported.
        if (!['ELOOP', 'ENOTDIR', 'ENOENT', 'EACCES', 'ENXIO'].includes(errnoOf(cause) ?? '')) throw cause;
        this.refuse(path, `it cannot be opened (${errnoOf(cause)})`);
      }
    }
  }

  private enter(level: Level, name: BytePath, path: BytePath): void {
    const from = openFolder(level.from, name);
    let made: number | undefined;
    const target = () => {
      if (made !== undefined) return made;
      const parent = level.target();
      mkdirAt(parent, name);
      made = openFolder(parent, name);
      return made;
    };
    try {
      this.walk({ from, path, target });
    } finally {
      closeSync(from);
      if (made !== undefined) closeSync(made);
    }
  }

  private copy(level: Level, name: BytePath, path: BytePath): void {
    const from = openSync(
      at(level.from, name),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    );
    try {
      // Again on what is open now: this is the file that is read.
      const found = fstatSync(from);
      const why = found.isFile() ? this.findRefusal(found, path, false) : 'it was swapped while it was copied';
      if (why !== undefined) {
        this.refuse(path, why);
        return;
      }
      const sha256 = this.copyContent(from, found.size, level.target(), name);
      if (sha256 === undefined) {
        this.refuse(path, 'it changed while it was copied');
        return;
      }
      this.bytes += found.size;
      this.pathBytes += path.length;
      this.artifacts.push({ path: showPath(path), bytes: found.size, sha256, type: 'file' });
    } finally {
      closeSync(from);
    }
  }

  /** Under a name of ours first: what stands under its own name is whole. */
  private copyContent(from: number, size: number, folder: number, name: BytePath): string | undefined {
    const part = at(folder, partName);
    const hash = createHash('sha256');
    try {
      const to = openSync(
        part,
        constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
        0o600,
      );
      let copied = 0;
      try {
        for (let got = readSync(from, this.buffer); got > 0; got = readSync(from, this.buffer)) {
          copied += got;
          if (copied > size) break;
          hash.update(this.buffer.subarray(0, got));
          for (let done = 0; done < got; ) done += writeSync(to, this.buffer, done, got - done);
        }
      } finally {
        closeSync(to);
      }
      if (copied === size) renameSync(part, at(folder, name));
      else rmSync(part);
      return copied === size ? hash.digest('hex') : undefined;
    } catch (cause) {
      rmSync(part, { force: true });
      throw diskError(cause, 'an artifact cannot be written');
    }
  }
}

function mkdirAt(folder: number, name: BytePath): void {
  try {
    mkdirSync(at(folder, name), { mode: 0o700 });
  } catch (cause) {
    throw diskError(cause, 'a folder for artifacts cannot be made');
  }
}

/**
 * Copies the regular files below `from` to `to`, folders 0700 and files 0600 (whether to execute what a sandbox made is
 * the reader's decision), each hashed as it is copied, and writes the manifest. Hard links are copied as files of their own.
 * A file whose name is a guarded place or makes `to` a git directory is refused: `cd` into it would run it. Throws DISK_FULL,
 * TOOL_FAILED, and ARTIFACTS_INVALID when `to` is no longer an empty real folder; files copied so far stay, all of them whole.
 */
export function collectArtifacts(request: CollectRequest): Collected {
  const from = openReal(request.from);
  let to: number | undefined;
  try {
    to = openDestination(request.to);
    const target = to;
    const collector = new Collector(request, lstatSync(`${folderPath(from)}/.`).dev);
    collector.walk({ from, path: '', target: () => target });
    const { artifacts, refused, refusedMore } = collector;
    const collected = { artifacts, refused, refusedMore };
    writeFileAtomic(`${folderPath(to)}/${manifestName}`, `${JSON.stringify(collected, null, 1)}\n`);
    return collected;
  } finally {
    closeSync(from);
    if (to !== undefined) closeSync(to);
  }
}

function openDestination(path: string): number {
  let to: number | undefined;
  try {
    to = openReal(path);
    if (readdirSync(folderPath(to)).length > 0) throw new Error('it is no longer empty');
    return to;
  } catch (cause) {
    if (to !== undefined) closeSync(to);
    throw new CofferdamError('ARTIFACTS_INVALID', `the artifacts cannot be copied to ${printable(path)}`, { cause });
  }
}
