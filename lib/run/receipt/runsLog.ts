// Owns reading runs.log: the lines that supervisors appended, from where the last completion ended.
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { CofferdamError, errnoOf, messageOf } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { type LogLine, readLines } from '../../base/lines.ts';
import { printable } from '../../base/printable.ts';
import type { Through } from '../audit/line.ts';
import { parseRecord, type RunRecord } from '../result.ts';

/** What record.c writes at the most. */
const longestRecord = 4096;
/** The latest time that a Date holds, ms. */
const lastMoment = 8.64e15;

export interface RecordLine {
  readonly line: LogLine;
  /** Its text and what it says; undefined when it is not one that a supervisor wrote whole. */
  readonly text: string;
  readonly record: RunRecord | undefined;
}

function openLog(file: string): { fd: number; found: BigIntStats } | undefined {
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw new CofferdamError('AUDIT_DAMAGED', `${printable(file)} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const found = fstatSync(fd, { bigint: true });
  if (found.isFile()) return { fd, found };
  closeSync(fd);
  throw new CofferdamError('AUDIT_DAMAGED', `${printable(file)} is not a file`);
}

function tailDigest(fd: number, offset: number): string {
  const bytes = Buffer.alloc(Math.min(64, offset));
  const got = readSync(fd, bytes, 0, bytes.length, offset - bytes.length);
  return createHash('sha256').update(bytes.subarray(0, got)).digest('hex');
}

/** A number is taken only when it is exact and a date that exists: a record is never guessed. */
function readRecord(text: string): RunRecord | undefined {
  let record: RunRecord;
  try {
    record = parseRecord(text);
  } catch {
    return undefined;
  }
  const { startedMs, endedMs, exitCode, stdoutBytes, stderrBytes } = record;
  const exact = [startedMs, endedMs, stdoutBytes, stderrBytes].every((number) => Number.isSafeInteger(number));
  return exact && Math.max(startedMs, endedMs) <= lastMoment && exitCode <= 255 ? record : undefined;
}

/** Whether there may be lines that were not completed: one stat, no lock. */
export function hasNews(file: string, through: Through | null): boolean {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  if (found === undefined) return false;
  return found.size > 0n && (String(found.ino) !== through?.ino || found.size !== BigInt(through.offset));
}

export interface RunsLog {
  /** True when it is not the file, or not the content, that was read before: it is then read from its beginning. */
  readonly replaced: boolean;
  readonly ino: string;
  readonly size: number;
  /** Whole lines in order; half a line at the end is one that is being written, and left. */
  lines(): Generator<RecordLine>;
  /** Progress up to `offset`, for the audit log. */
  throughAt(offset: number): Through;
  close(): void;
}

/** Opens runs.log behind `through`, or gives undefined when there is none. Throws AUDIT_DAMAGED for what is no file. */
export function openRunsLog(file: string, through: Through | null): RunsLog | undefined {
  const opened = openLog(file);
  if (opened === undefined) return undefined;
  const { fd, found } = opened;
  const ino = String(found.ino);
  const size = Number(found.size);
  const same =
    through === null ||
    (through.ino === ino && through.offset <= size && tailDigest(fd, through.offset) === through.tail);
  return {
    replaced: !same,
    ino,
    size,
    *lines() {
      for (const line of readLines(fd, { from: same ? (through?.offset ?? 0) : 0, to: size, most: longestRecord })) {
        if (!line.ended) return;
        // What was completed long ago is a hole in the file (trimRunsLog), and a hole reads as zeros.
        const text = (line.bytes?.toString('latin1') ?? '').replace(/^\0+/, '');
        if (text !== '' || line.bytes === undefined) yield { line, text, record: readRecord(text) };
      }
    },
    throughAt: (offset) => ({ ino, offset, tail: tailDigest(fd, offset) }),
    close: () => closeSync(fd),
  };
}

const blockBytes = 4096;

/**
 * Gives the disk space of completed lines back. Supervisors may be appending: so nothing is renamed, moved or cut; the
 * completed front becomes a hole (fallocate(2), FALLOC_FL_PUNCH_HOLE), and every offset stays what it was. A file system without holes keeps
 * the file, 130 bytes a run.
 */
export async function trimRunsLog(file: string, completed: number, keep = 1 << 20): Promise<void> {
  const found = statSync(file, { throwIfNoEntry: false });
  if (found === undefined || found.blocks * 512 < 2 * keep) return;
  const length = Math.floor((completed - 1) / blockBytes) * blockBytes - blockBytes;
  if (length < keep) return;
  await runTool('fallocate', ['--punch-hole', '--offset', '0', '--length', String(length), file], { accept: [0, 1] });
}
