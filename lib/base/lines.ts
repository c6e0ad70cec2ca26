// Owns reading a log line by line without holding more than one line of it.
import { createHash } from 'node:crypto';
import { readSync } from 'node:fs';

export interface LogLine {
  /** Byte offsets: of its first byte, and behind its newline. */
  readonly start: number;
  readonly end: number;
  /** Without the newline; undefined when it is longer than any line of ours. */
  readonly bytes: Buffer | undefined;
  readonly sha256: string;
  /** False for the last bytes of a file that does not end in a newline. */
  readonly ended: boolean;
}

export interface LineRange {
  readonly from: number;
  /** Exclusive; what is appended later is not read. */
  readonly to: number;
  /** Bytes of the longest line. */
  readonly most: number;
}

const chunkBytes = 1 << 18;

/** The lines of an open file, in order. `sha256` is made when it is asked for, except for those that are too long. */
export function* readLines(fd: number, { from, to, most }: LineRange): Generator<LogLine> {
  const chunk = Buffer.allocUnsafe(chunkBytes);
  let held: Buffer[] = [];
  let heldBytes = 0;
  let long = createHash('sha256');
  let start = from;
  const finish = (end: number, ended: boolean): LogLine => {
    const tooLong = heldBytes > most;
    const bytes = tooLong ? undefined : Buffer.concat(held);
    const digest = tooLong ? long.digest('hex') : undefined;
    const line = {
      start,
      end,
      bytes,
      ended,
      get sha256() {
        return (
          digest ??
          createHash('sha256')
            .update(bytes ?? '')
            .digest('hex')
        );
      },
    };
    held = [];
    heldBytes = 0;
    start = end;
    return line;
  };
  const hold = (piece: Buffer) => {
    if (heldBytes > most) long.update(piece);
    else if (heldBytes + piece.length > most) {
      long = createHash('sha256');
      for (const part of [...held, piece]) long.update(part);
      held = [];
    } else held.push(Buffer.from(piece));
    heldBytes += piece.length;
  };
  for (let at = from; at < to; ) {
    const got = readSync(fd, chunk, 0, Math.min(chunkBytes, to - at), at);
    if (got === 0) break;
    let begin = 0;
    for (let stop = chunk.indexOf(10, begin); stop !== -1 && stop < got; stop = chunk.indexOf(10, begin)) {
      hold(chunk.subarray(begin, stop));
      begin = stop + 1;
      yield finish(at + begin, true);
    }
    if (begin < got) hold(chunk.subarray(begin, got));
    at += got;
  }
  if (heldBytes > 0) yield finish(start + heldBytes, false);
}
