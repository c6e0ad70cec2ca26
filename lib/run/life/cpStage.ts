// Owns the folder beside a copy's destination in which it is put together: whole, it is renamed into place; else it goes.
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs';
import { CofferdamError, errnoOf, messageOf } from '../../base/errors.ts';
import { diskError } from '../../base/files.ts';
import { printable } from '../../base/printable.ts';
import { at, type BytePath, folderPath, fromBytes, openFolder, openReal, withParent } from '../beneath.ts';

const checkBytes = 16 << 20;
const fileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

function bytesOf(name: string): BytePath {
  return fromBytes(Buffer.from(name));
}

/** The folder is opened once; all below it is reached by descriptors, through no link. */
export class CpStage {
  readonly #parent: number;
  readonly #stage: number;
  readonly #name: BytePath;
  readonly #floor: number;
  #unchecked = 0;
  #file: number | undefined;

  /** Stages in `parent`, absolute and real; `floor` bytes stay free on its file system. Throws CP_REFUSED, DISK_FULL. */
  constructor(parent: string, floor: number) {
    this.#floor = floor;
    this.#name = `.cofferdam-cp-${randomBytes(6).toString('hex')}`;
    try {
      this.#parent = openReal(parent);
    } catch (cause) {
      throw new CofferdamError('CP_REFUSED', `${printable(parent)} cannot be opened: ${messageOf(cause)}`, { cause });
    }
    try {
      mkdirSync(at(this.#parent, this.#name), { mode: 0o700 });
      this.#stage = openFolder(this.#parent, this.#name);
    } catch (cause) {
      closeSync(this.#parent);
      if (!['EACCES', 'EROFS', 'EPERM'].includes(errnoOf(cause) ?? ''))
        throw diskError(cause, `cannot copy to ${printable(parent)}`);
      throw new CofferdamError('CP_REFUSED', `${printable(parent)} is not writable for you`, {
        cause,
        remedy: 'name a folder of your own',
      });
    }
  }

  /** Throws DISK_FULL when `bytes` more would leave less than the floor. */
  reserve(bytes: number): void {
    const { bavail, bsize } = statfsSync(folderPath(this.#stage), { bigint: true });
    if (bavail * bsize >= BigInt(bytes) + BigInt(this.#floor)) return;
    throw new CofferdamError('DISK_FULL', `the copy would leave less than ${this.#floor} bytes free`);
  }

  addFolder(steps: readonly string[]): void {
    this.#attempt(steps, (folder, name) => mkdirSync(at(folder, name), { mode: 0o700 }));
  }

  openFile(steps: readonly string[]): void {
    this.#file = this.#attempt(steps, (folder, name) => openSync(at(folder, name), fileFlags, 0o600));
  }

  write(chunk: Uint8Array): void {
    const file = this.#file;
    if (file === undefined) throw new CofferdamError('INTERNAL', 'a chunk without its file');
    this.#unchecked += chunk.length;
    if (this.#unchecked > checkBytes) {
      this.#unchecked = 0;
      this.reserve(0);
    }
    try {
      for (let done = 0; done < chunk.length; ) done += writeSync(file, chunk, done);
    } catch (cause) {
      throw diskError(cause, 'the copy cannot be written');
    }
  }

  closeFile(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }

  /** Moves `from` (what was staged) to `to` in the folder; a regular file replaces one. Throws CP_REFUSED when it cannot. */
  publish(from: string, to: string): void {
    const target = at(this.#parent, bytesOf(to));
    const source = at(this.#stage, bytesOf(from));
    const there = lstatSync(target, { throwIfNoEntry: false });
    if (there !== undefined && !(there.isFile() && lstatSync(source).isFile()))
      throw new CofferdamError('CP_REFUSED', `${printable(to)} exists already`, {
        remedy: 'name a new one, or a folder',
      });
    try {
      // A rename replaces what has the name, a link too, and follows nothing.
      renameSync(source, target);
    } catch (cause) {
      throw diskError(cause, `${printable(to)} cannot be put in place`);
    }
  }

  /** Takes away what was not published. */
  close(): void {
    this.closeFile();
    rmSync(at(this.#parent, this.#name).toString('latin1'), { recursive: true, force: true });
    closeSync(this.#stage);
    closeSync(this.#parent);
  }

  #attempt<T>(steps: readonly string[], act: (folder: number, name: BytePath) => T): T {
    try {
      return withParent(this.#stage, steps.map(bytesOf).join('/'), act);
    } catch (cause) {
      if (errnoOf(cause) === 'EEXIST' || errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR')
        throw new CofferdamError(
          'CP_REFUSED',
          `the sandbox sent "${printable(steps.join('/'))}" twice, or not below a folder`,
        );
      throw diskError(cause, 'the copy cannot be written');
    }
  }
}
