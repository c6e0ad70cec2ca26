// Owns typing into a sandbox that lives on: frames for its supervisor (lib/run/native/typed.h), over a fifo in its run folder.
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { runFolders } from '../folders.ts';
import type { Sandbox } from './sandbox.ts';

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

/** PIPE_BUF of Linux: a write of so much is whole, or not at all. */
const mostFrame = 4096;
const headBytes = 3;
const retryMs = 10;

function frame(letter: 'd' | 'e' | 'w', bytes: Uint8Array): Buffer {
  const head = Buffer.from([letter.charCodeAt(0), 0, 0]);
  head.writeUInt16BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

export class Typing {
  readonly #fd: number;
  #closed = false;
  /** One frame after the other. */
  #last: Promise<boolean> = Promise.resolve(true);

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** undefined when its run has ended, or is ending. */
  static open(paths: Paths, { run }: Pick<Sandbox, 'run'>): Typing | undefined {
    const file = join(runFolders(paths).runs, run ?? '', 'typed');
    try {
      // Without a reader it fails instead of waiting for one.
      return new Typing(openSync(file, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW));
    } catch (error) {
      if (['ENOENT', 'ENXIO'].includes(errnoOf(error) ?? '')) return undefined;
      throw error;
    }
  }

  /** Waits until the program has taken enough of what came before. False when the sandbox has ended. */
  async #write(bytes: Buffer): Promise<boolean> {
    while (!this.#closed) {
      try {
        writeSync(this.#fd, bytes);
        return true;
      } catch (error) {
        if (errnoOf(error) !== 'EAGAIN') return false;
        await new Promise((done) => setTimeout(done, retryMs));
      }
    }
    return false;
  }

  #send(letter: 'd' | 'e' | 'w', bytes: Uint8Array): Promise<boolean> {
    this.#last = this.#last.then((goesOn) => goesOn && this.#write(frame(letter, bytes)));
    return this.#last;
  }

  /** False when nobody takes it any more. */
  async type(bytes: Uint8Array): Promise<boolean> {
    let goesOn = true;
    for (let at = 0; at < bytes.length && goesOn; at += mostFrame - headBytes)
      goesOn = await this.#send('d', bytes.subarray(at, at + mostFrame - headBytes));
    return goesOn;
  }

  /** The program's input ends, unless that is a terminal. */
  async end(): Promise<void> {
    await this.#send('e', new Uint8Array());
  }

  async resize({ rows, columns }: TerminalSize): Promise<void> {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt16BE(Math.min(rows, 0xffff), 0);
    bytes.writeUInt16BE(Math.min(columns, 0xffff), 2);
    await this.#send('w', bytes);
  }

  close(): void {
    if (!this.#closed) closeSync(this.#fd);
    this.#closed = true;
  }
}
