// Owns the fifo that Squid writes its log to: each line is read as it is written, and nothing grows.
import { constants, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { runTool } from '../../base/exec.ts';
import { type AccessEntry, mostLine, readAccessLine } from './accessLog.ts';

export interface LogPipe {
  /** Ends the reading; what is in the pipe is read first. Twice is once. */
  close(): Promise<void>;
}

export interface LogPipeOptions {
  readonly file: string;
  readonly onEntry: (entry: AccessEntry) => void;
  /** A line that is no entry: how long it was. */
  readonly onUnreadable: (bytes: number) => void;
}

/** Splits at newlines; a line beyond the bound is counted and thrown away, never kept. */
function splitLines(onLine: (line: string) => void, onLong: (bytes: number) => void): (chunk: Buffer) => void {
  let parts: Buffer[] = [];
  let length = 0;
  const add = (piece: Buffer) => {
    length += piece.length;
    if (length <= mostLine) parts.push(piece);
    else parts = [];
  };
  const end = () => {
    if (length > mostLine) onLong(length);
    else if (length > 0) onLine(Buffer.concat(parts).toString('utf8'));
    parts = [];
    length = 0;
  };
  return (chunk) => {
    let from = 0;
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, from)) {
      add(chunk.subarray(from, at));
      end();
      from = at + 1;
    }
    add(chunk.subarray(from));
  };
}

/** Makes the fifo and reads it. Throws TOOL_FAILED. */
export async function openLogPipe({ file, onEntry, onUnreadable }: LogPipeOptions): Promise<LogPipe> {
  await runTool('mkfifo', ['-m', '0600', file]);
  // Open for writing too, so that there is no end of file before Squid opens it, nor in between.
  const fd = openSync(file, constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW);
  const pipe = new Socket({ fd, readable: true, writable: false });
  const take = splitLines(
    (line) => {
      const entry = readAccessLine(line);
      if (entry === undefined) onUnreadable(line.length);
      else if (entry !== null) onEntry(entry);
    },
    (bytes) => onUnreadable(bytes),
  );
  let idle = true;
  pipe.on('data', (chunk: Buffer) => {
    idle = false;
    take(chunk);
  });
  const close = async () => {
    // The writer is gone: two rounds without data are the end.
    for (let quiet = 0; quiet < 2; quiet = idle ? quiet + 1 : 0) {
      idle = true;
      await new Promise((done) => setTimeout(done, 5));
    }
    await new Promise<void>((done) => {
      pipe.once('close', () => done()).destroy();
    });
  };
  let closing: Promise<void> | undefined;
  return {
    close() {
      closing ??= close();
      return closing;
    },
  };
}
