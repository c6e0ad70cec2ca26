// Owns writing what was received as a tar again: of our own making, so that its reader meets nothing but files and folders.
import { encodeHeader, entryPadding } from '../../image/archive.ts';
import type { CpSink } from './cpReceive.ts';

export class CpTar implements CpSink {
  readonly #write: (bytes: Uint8Array) => Promise<void>;
  #pending: Uint8Array[] = [];
  #size = 0;

  /** `write` settles when it takes more. */
  constructor(write: (bytes: Uint8Array) => Promise<void>) {
    this.#write = write;
  }

  reserve(): void {
    // Where it goes is its reader's matter.
  }

  addFolder(steps: readonly string[]): void {
    this.#pending.push(...encodeHeader({ path: `${steps.join('/')}/`, type: 'Directory', mode: 0o700, size: 0 }));
  }

  openFile(steps: readonly string[], size: number): void {
    this.#size = size;
    this.#pending.push(...encodeHeader({ path: steps.join('/'), type: 'File', mode: 0o600, size }));
  }

  write(chunk: Uint8Array): void {
    this.#pending.push(Buffer.from(chunk));
  }

  closeFile(): void {
    this.#pending.push(entryPadding(this.#size));
  }

  /** Writes what has come so far. */
  async flush(): Promise<void> {
    const pending = this.#pending;
    this.#pending = [];
    for (const bytes of pending) await this.#write(bytes);
  }

  /** Writes the rest, and the end. */
  async end(): Promise<void> {
    this.#pending.push(Buffer.alloc(1024));
    await this.flush();
  }
}
