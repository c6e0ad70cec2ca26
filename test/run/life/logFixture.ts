// Owns a writer of log folders for tests, in the form of the supervisor's: frames, files named by offset, the newest two kept.
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';

export function frame(stream: 'o' | 'e', text: string | Uint8Array, at = 1_700_000_000_000): Buffer {
  const bytes = Buffer.from(text as string);
  return Buffer.concat([Buffer.from(`${at} ${stream} ${bytes.length}\n`), bytes, Buffer.from('\n')]);
}

export class LogWriter {
  readonly directory: string;
  /** Logical offset of what is written next. */
  offset = 0;
  #base = 0;

  constructor(t: Test) {
    this.directory = mkdtempSync(join(tmpdir(), 'cofferdam-logs-'));
    mkdirSync(this.directory, { recursive: true });
    t.teardown(() => rmSync(this.directory, { recursive: true, force: true }));
  }

  raw(bytes: Buffer): this {
    appendFileSync(join(this.directory, String(this.#base)), bytes);
    this.offset += bytes.length;
    return this;
  }

  write(stream: 'o' | 'e', text: string | Uint8Array, at?: number): this {
    return this.raw(frame(stream, text, at));
  }

  /** Begins another file and takes the oldest away, so that two are kept. */
  rotate(): this {
    this.#base = this.offset;
    this.raw(Buffer.alloc(0));
    const names = readdirSync(this.directory)
      .map(Number)
      .sort((a, b) => a - b);
    for (const name of names.slice(0, -2)) rmSync(join(this.directory, String(name)));
    return this;
  }
}
