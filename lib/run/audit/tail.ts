// Owns the end of the audit log: the last line that was written whole, and what a crash left behind it.
import { closeSync, readSync } from 'node:fs';
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { auditFiles, type OpenAuditFile, openAuditFile } from './files.ts';
import { type AuditLine, hashLine, noLine, parseLine, type Through } from './line.ts';

export interface AuditTail {
  /** Of the last whole line; 0 and zeros when there is none. */
  readonly seq: number;
  readonly hash: string;
  readonly through: Through | null;
  readonly last: AuditLine | undefined;
  /** Bytes behind it that are no line: what a crash or a full disk left. */
  readonly fragment: Buffer | undefined;
  /** Whether the current file ends without a newline. */
  readonly open: boolean;
  /** Bytes of the current file. */
  readonly size: number;
}

// An append is a few hundred lines of less than a kilobyte (lib/run/receipt/complete.ts), so a whole line is in sight
// behind any fragment.
const windowBytes = 4 << 20;
const usualBytes = 1 << 16;

type FileEnd = Omit<AuditTail, 'seq' | 'through'>;

function readBack({ fd, size }: OpenAuditFile, most: number): Buffer {
  const from = Math.max(0, size - most);
  const bytes = Buffer.alloc(size - from);
  for (let done = 0; done < bytes.length; ) {
    const got = readSync(fd, bytes, done, bytes.length - done, from + done);
    if (got === 0) break;
    done += got;
  }
  return bytes;
}

/** The last line in `bytes`, which are the end of a file, and what stands behind it. */
function findEnd(bytes: Buffer, size: number): FileEnd | undefined {
  const open = bytes.length > 0 && bytes.at(-1) !== 10;
  for (let end = open ? bytes.length : bytes.length - 1; end > 0; ) {
    const start = bytes.lastIndexOf(10, end - 1) + 1;
    const last = parseLine(bytes.subarray(start, end));
    if (last !== undefined) {
      const hash = hashLine(bytes.subarray(start, end));
      const fragment = end + 1 < bytes.length ? bytes.subarray(end + 1, open ? bytes.length : -1) : undefined;
      return { last, hash, fragment, open, size };
    }
    end = start - 1;
  }
  if (bytes.length < size) return undefined;
  const fragment = bytes.length > 0 ? bytes.subarray(0, open ? bytes.length : -1) : undefined;
  return { last: undefined, hash: noLine, fragment, open, size };
}

function readEnd(path: string, number: number | undefined): FileEnd {
  const file = openAuditFile({ path, number });
  try {
    const end = findEnd(readBack(file, usualBytes), file.size) ?? findEnd(readBack(file, windowBytes), file.size);
    if (end !== undefined) return end;
  } finally {
    closeSync(file.fd);
  }
  throw new CofferdamError('AUDIT_DAMAGED', `the last ${windowBytes} bytes of ${printable(path)} hold no line of ours`);
}

/** The end of the log of a state folder. Throws AUDIT_DAMAGED when it cannot be continued. */
export function readAuditTail(state: string): AuditTail {
  const files = auditFiles(state);
  const current = files.at(-1);
  let end: FileEnd = { last: undefined, hash: noLine, fragment: undefined, open: false, size: 0 };
  if (current !== undefined && current.number === undefined) end = readEnd(current.path, undefined);
  // A crash right after a rotation leaves an empty current file, or none: the chain goes on from the file before.
  const before = files.findLast(({ number }) => number !== undefined);
  if (end.last === undefined && before !== undefined) {
    const { last, hash } = readEnd(before.path, before.number);
    end = { ...end, last, hash };
  }
  return { ...end, seq: end.last?.seq ?? 0, through: end.last?.through ?? null };
}
