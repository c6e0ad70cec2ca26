// Owns reading a sandbox's log: from an offset on, over rotations, and following it to the sandbox's end.
import { join } from 'node:path';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import { listIfPresent } from '../../base/files.ts';
import { FolderWaker } from '../../base/folderWaker.ts';
import { type Frame, FrameFile } from './frames.ts';

/** `gap`: bytes between two logical offsets that are not there any more: rotated away, or torn when the supervisor was killed. */
export type LogEvent =
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'gap'; readonly from: number; readonly to: number };

export interface LogRequest {
  /** The sandbox's `logs` folder. */
  readonly directory: string;
  /** Logical offset at which to begin, as an earlier reading gave it; undefined begins with the oldest that is kept. */
  readonly offset: number | undefined;
  /** Whether to wait for more while the sandbox lives. */
  readonly follow: boolean;
  /** Whether somebody may still write. */
  isLive(): boolean;
  readonly signal: AbortSignal;
}

/** Logical offsets by which the files are named, ascending. */
function listFiles(directory: string): number[] {
  return listIfPresent(directory)
    .filter((name) => /^(0|[1-9][0-9]{0,14})$/.test(name))
    .map(Number)
    .sort((a, b) => a - b);
}

/** The file that holds `offset`, or the oldest; undefined when there is none. Rotation may take one away while we look. */
function openAt(directory: string, offset: number): FrameFile | undefined {
  for (let tries = 0; tries < 100; tries++) {
    const files = listFiles(directory);
    const base = files.findLast((candidate) => candidate <= offset) ?? files[0];
    if (base === undefined) return undefined;
    try {
      return new FrameFile(join(directory, String(base)), base);
    } catch (error) {
      if (errnoOf(error) !== 'ENOENT') throw error;
    }
  }
  throw new CofferdamError('LOGS_DAMAGED', `${directory} does not hold still`);
}

/** Goes to `offset` in the file that holds it; a frame cannot be begun in its middle. Throws USAGE. */
function seek(file: FrameFile, offset: number): void {
  while (file.offset < offset && file.read() !== undefined);
  if (file.offset === offset) return;
  throw new CofferdamError('USAGE', `${offset} is no offset of this log; it has frames at ${file.offset}`, {
    remedy: 'give one that `sandbox logs --json` printed, or leave --offset out',
  });
}

/** Where the log ends now: what is written from here on is read from this offset on. */
export function endOfLog(directory: string): number {
  const file = openAt(directory, Number.MAX_SAFE_INTEGER);
  if (file === undefined) return 0;
  try {
    while (file.read() !== undefined);
    return file.offset;
  } finally {
    file.close();
  }
}

interface Step {
  readonly event?: LogEvent;
  /** The file to go on with; undefined when there is no more for now. */
  readonly file: FrameFile | undefined;
}

/** One event, or the next file; the old one is read to its end first, whatever has become of its name. */
function step(directory: string, file: FrameFile): Step {
  const read = (): Step | undefined => {
    const frame = file.read();
    return frame === undefined ? undefined : { event: { kind: 'frame', frame }, file };
  };
  const event = read();
  if (event !== undefined) return event;
  if (!listFiles(directory).some((base) => base > file.base)) return { file: undefined };
  // Once more: it was written to until the next one was made.
  const last = read();
  if (last !== undefined) return last;
  const following = listFiles(directory).find((base) => base > file.base);
  const next = following === undefined ? undefined : openAt(directory, following);
  if (next === undefined) return { file: undefined };
  const from = file.offset;
  file.close();
  return next.base > from ? { event: { kind: 'gap', from, to: next.base }, file: next } : { file: next };
}

/**
 * What the sandbox wrote, frame by frame, with one frame in memory at a time; ends at the end of the log, with `follow` when the
 * sandbox has ended, and when the signal is aborted. Throws USAGE for an offset that is none, LOGS_DAMAGED.
 */
export async function* readLog(request: LogRequest): AsyncGenerator<LogEvent> {
  const { directory, offset, signal } = request;
  const waker = request.follow ? new FolderWaker(directory, signal) : undefined;
  let file: FrameFile | undefined;
  try {
    for (let ended = false; !signal.aborted; ) {
      if (file === undefined) {
        file = openAt(directory, offset ?? 0);
        if (file !== undefined && offset !== undefined && file.base > offset)
          yield { kind: 'gap', from: offset, to: file.base };
        else if (file !== undefined && offset !== undefined) seek(file, offset);
      }
      const next: Step = file === undefined ? { file: undefined } : step(directory, file);
      file = next.file ?? file;
      if (next.event !== undefined) yield next.event;
      if (next.file !== undefined) continue;
      if (waker === undefined || ended) return;
      // It may have written its last between our look at the log and the look at itself: one more round.
      ended = !request.isLive();
      if (!ended) await waker.wait();
    }
  } finally {
    waker?.close();
    file?.close();
  }
}
