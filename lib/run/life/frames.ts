// Owns the form of a sandbox's log files: `MS o|e BYTES\n`, the bytes, `\n`; read one frame at a time with bounded memory.
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';

export interface Frame {
  /** When it was written, ms since the epoch. */
  readonly at: number;
  readonly stream: 'stdout' | 'stderr';
  readonly bytes: Buffer;
  /** Logical offset of the frame itself. */
  readonly offset: number;
  /** Logical offset of what follows it: where a reader resumes. */
  readonly next: number;
}

/** The supervisor writes what one read gave it, which is far less. */
const mostBytes = 1 << 20;
const mostHeader = 40;
const headerPattern = /^([0-9]{1,15}) ([oe]) ([0-9]{1,7})$/;

/** An open log file. It stays readable when it is rotated away. */
export class FrameFile {
  /** Logical offset of the next frame. */
  offset: number;
  readonly base: number;
  readonly #path: string;
  readonly #fd: number;
  readonly #window = Buffer.allocUnsafe(mostHeader + mostBytes + 1);
  #begin = 0;
  #end = 0;
  #position = 0;

  /** Opens the file whose first frame has the logical offset `base`. Throws LOGS_DAMAGED, and ENOENT as it is. */
  constructor(path: string, base: number) {
    this.#path = path;
    this.base = base;
    this.offset = base;
    this.#fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY);
    if (fstatSync(this.#fd).isFile()) return;
    this.close();
    throw this.#damaged('is no regular file');
  }

  #damaged(what: string): CofferdamError {
    return new CofferdamError('LOGS_DAMAGED', `${printable(this.#path)} ${what}`);
  }

  /** Whether `size` bytes are there from #begin on. */
  #fill(size: number): boolean {
    if (this.#end - this.#begin >= size) return true;
    this.#window.copyWithin(0, this.#begin, this.#end);
    this.#end -= this.#begin;
    this.#begin = 0;
    while (this.#end < size) {
      const got = readSync(this.#fd, this.#window, this.#end, this.#window.length - this.#end, this.#position);
      if (got === 0) return false;
      this.#end += got;
      this.#position += got;
    }
    return true;
  }

  /** The next frame; undefined where the file ends, also in the middle of a frame: more may come. Throws LOGS_DAMAGED. */
  read(): Frame | undefined {
    // The shortest header is shorter than this; then the file has not that much left, and what is there is looked at.
    this.#fill(mostHeader);
    const line = this.#window.subarray(this.#begin, Math.min(this.#end, this.#begin + mostHeader));
    const length = line.indexOf(10);
    if (length === -1 && line.length < mostHeader) return undefined;
    const [, at = '', letter, size = ''] = headerPattern.exec(line.toString('latin1', 0, Math.max(length, 0))) ?? [];
    if (letter === undefined || Number(size) > mostBytes) throw this.#damaged(`has no frame at offset ${this.offset}`);
    const whole = length + 1 + Number(size) + 1;
    if (!this.#fill(whole)) return undefined;
    const start = this.#begin + length + 1;
    const end = start + Number(size);
    if (this.#window[end] !== 10) throw this.#damaged(`has no frame at offset ${this.offset}`);
    const bytes = Buffer.from(this.#window.subarray(start, end));
    const { offset } = this;
    this.#begin += whole;
    this.offset += whole;
    return { at: Number(at), stream: letter === 'o' ? 'stdout' : 'stderr', bytes, offset, next: this.offset };
  }

  close(): void {
    closeSync(this.#fd);
  }
}
