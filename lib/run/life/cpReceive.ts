// Owns taking a tar that a sandbox sent: hostile bytes, of which regular files and folders are kept, within bounds.
import { Parser, type ReadEntry } from 'tar';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { type CpBounds, findEntryFault, stepsBelow } from './cpEntry.ts';

/** Where the files go. Each may throw; then nothing is kept. */
export interface CpSink {
  /** Throws DISK_FULL when there is no room for that many bytes. */
  reserve(bytes: number): void;
  addFolder(steps: readonly string[]): void;
  openFile(steps: readonly string[], size: number): void;
  write(chunk: Uint8Array): void;
  closeFile(): void;
}

export interface Received {
  /** What was asked for; undefined: nothing came. */
  readonly kind: 'file' | 'folder' | undefined;
  readonly files: number;
  readonly bytes: number;
  /** What was left out, at most 1000. */
  readonly refused: readonly { readonly path: string; readonly why: string }[];
  readonly refusedMore: number;
}

const mostRefused = 1000;
/** Of folders and of what is refused: each is an entry that costs us time. */
const entriesPerFile = 4;

export class CpReceiver {
  readonly #top: string;
  readonly #bounds: CpBounds;
  readonly #sink: CpSink;
  readonly #parser: Parser;
  readonly #refused: { path: string; why: string }[] = [];
  #fault: unknown;
  /** Whether the blocks that end a tar came: one that is cut between two entries has no other mark. */
  #whole = false;
  #begun = false;
  #kind: Received['kind'];
  #entries = 0;
  #files = 0;
  #bytes = 0;
  #refusedMore = 0;

  /** `top`: the name of what was asked for, which every path of the tar begins with. */
  constructor(top: string, bounds: CpBounds, sink: CpSink) {
    this.#top = top;
    this.#bounds = bounds;
    this.#sink = sink;
    this.#parser = new Parser({
      strict: true,
      zstd: false,
      onReadEntry: (entry) => this.#guard(() => this.#add(entry)),
    });
    this.#parser.on('error', (error: unknown) => {
      this.#fault ??= error;
    });
    this.#parser.on('eof', () => {
      this.#whole = true;
    });
    // node-tar passes over kinds that it does not know.
    this.#parser.on('ignoredEntry', (entry: ReadEntry) => this.#guard(() => this.#add(entry)));
  }

  /** Bytes of files so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes the next bytes. Throws CP_REFUSED, DISK_FULL, and what the sink throws, each time once it went wrong. */
  write(chunk: Uint8Array): void {
    // node-tar unpacks gzip unasked, and a bomb with it; no name that we would take begins with that byte.
    if (!this.#begun && chunk[0] === 0x1f) this.#fault ??= new Error('it is compressed');
    this.#begun ||= chunk.length > 0;
    if (this.#fault === undefined) this.#guard(() => void this.#parser.write(Buffer.from(chunk)));
    this.#rethrow();
  }

  /** The tar is whole. Throws as write. */
  end(): Received {
    if (this.#fault === undefined) this.#guard(() => void this.#parser.end());
    if (!this.#whole) this.#fault ??= new Error('it has no end');
    this.#rethrow();
    const [kind, files, bytes] = [this.#kind, this.#files, this.#bytes];
    return { kind, files, bytes, refused: this.#refused, refusedMore: this.#refusedMore };
  }

  #guard(act: () => void): void {
    try {
      if (this.#fault === undefined) act();
    } catch (thrown) {
      this.#fault ??= thrown;
    }
  }

  #rethrow(): void {
    if (this.#fault === undefined) return;
    if (this.#fault instanceof CofferdamError) throw this.#fault;
    throw new CofferdamError(
      'CP_REFUSED',
      `what the sandbox sent is no whole tar: ${printable(messageOf(this.#fault))}`,
    );
  }

  #refuse(path: string, why: string): void {
    if (this.#refused.length < mostRefused) this.#refused.push({ path: printable(path, 4096), why });
    else this.#refusedMore += 1;
  }

  #exceeds(what: string): CofferdamError {
    return new CofferdamError('CP_REFUSED', `what is to be copied holds more than ${what}`, {
      remedy: 'copy less at a time, or raise --max-files, --max-bytes',
    });
  }

  #add(entry: ReadEntry): void {
    const { maxBytes, maxCount, maxDepth } = this.#bounds;
    const { path, type } = entry;
    const steps = stepsBelow(path, this.#top);
    if (steps === undefined)
      throw new CofferdamError('CP_REFUSED', `the sandbox sent "${printable(path, 120)}", which nobody asked for`);
    this.#entries += 1;
    if (this.#entries > entriesPerFile * (maxCount + 1000)) throw this.#exceeds(`${maxCount} files, folders or links`);
    const why = findEntryFault(type, steps.length === 0 ? path : steps.join('/'), steps, maxDepth);
    if (why !== undefined) {
      if (steps.length === 0) throw new CofferdamError('CP_REFUSED', `${printable(path)} is not copied: ${why}`);
      this.#refuse(steps.join('/'), why);
      if (!entry.ignore) entry.resume();
      return;
    }
    const whole = [this.#top, ...steps];
    if (steps.length === 0) this.#kind ??= type === 'Directory' ? 'folder' : 'file';
    if (type === 'Directory') {
      this.#sink.addFolder(whole);
      entry.resume();
      return;
    }
    const size = entry.size ?? 0;
    this.#files += 1;
    if (this.#files > maxCount) throw this.#exceeds(`${maxCount} files`);
    if (this.#bytes + size > maxBytes) throw this.#exceeds(`${maxBytes} bytes`);
    this.#sink.reserve(size);
    this.#sink.openFile(whole, size);
    entry.on('data', (chunk: Buffer) =>
      this.#guard(() => {
        this.#bytes += chunk.length;
        this.#sink.write(chunk);
      }),
    );
    entry.on('end', () => this.#guard(() => this.#sink.closeFile()));
  }
}
