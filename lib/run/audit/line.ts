// Owns one line of the audit log: its form, its signature, and the hash by which the next one names it.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { PublicKey, SigningKey } from '../key.ts';
import { encodePae } from '../receipt/pae.ts';

/** Up to where runs.log has been completed. Every audit line carries it, so that event and progress are one write. */
export const throughSchema = z.strictObject({
  /** Inode of runs.log; text, because it may be larger than a number is exact. */
  ino: z.string().regex(/^[0-9]{1,20}$/),
  offset: z.int().min(0),
  /** sha256 of the up to 64 bytes before the offset: tells that it still is the same file. */
  tail: z.string().regex(/^[0-9a-f]{64}$/),
});

export type Through = z.output<typeof throughSchema>;

const hexDigest = z.string().regex(/^[0-9a-f]{64}$/);

const lineSchema = z.strictObject({
  v: z.literal(1),
  seq: z.int().min(1),
  time: z.iso.datetime({ precision: 3 }),
  event: z.string().regex(/^[a-z]+(\.[a-z]+)+$/),
  run: z.string().nullable(),
  data: z.record(z.string(), z.unknown()),
  through: throughSchema.nullable(),
  keyid: hexDigest,
  /** Hash of the line before; zeros for the first. */
  prev: hexDigest,
  sig: z.string().regex(/^[A-Za-z0-9+/]{86}==$/),
});

export type AuditLine = z.output<typeof lineSchema>;

export interface AuditEvent {
  /** `run.completed`, `run.lost`, `record.garbled`, `log.replaced`, `key.replaced`, `audit.begun`, `audit.torn`. */
  readonly event: string;
  readonly run: string | null;
  readonly data: Readonly<Record<string, unknown>>;
}

/** `prev` of the first line. */
export const noLine = '0'.repeat(64);
/** Bytes; what is longer was not written by us. */
export const longestLine = 1 << 16;
const lineType = 'application/vnd.cofferdam.audit.v1+json';

/** sha256 of a line's bytes without its newline, 64 hex digits. */
export function hashLine(text: string | Uint8Array): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The text of a line, without its newline. */
export function renderLine(body: Omit<AuditLine, 'v' | 'keyid' | 'sig'>, key: SigningKey): string {
  const { seq, time, event, run, data, through, prev } = body;
  const unsigned = JSON.stringify({ v: 1, seq, time, event, run, data, through, keyid: key.keyid, prev });
  const sig = key.sign(encodePae(lineType, Buffer.from(unsigned))).toString('base64');
  return `${unsigned.slice(0, -1)},"sig":"${sig}"}`;
}

/** A line of ours, or undefined. JSON.parse takes a key twice and any spacing, so the bytes must be those we would write. */
export function parseLine(bytes: Uint8Array): AuditLine | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
  // Half a line is no JSON, whatever is missing: a quick no for what a crash left.
  if (!text.startsWith('{') || !text.endsWith('}')) return undefined;
  try {
    const line = lineSchema.parse(JSON.parse(text));
    return JSON.stringify(line) === text ? line : undefined;
  } catch {
    return undefined;
  }
}

/** Whether `key` signed it. */
export function isSigned(line: AuditLine, key: PublicKey): boolean {
  const { sig, ...unsigned } = line;
  return (
    line.keyid === key.keyid &&
    key.verify(encodePae(lineType, Buffer.from(JSON.stringify(unsigned))), Buffer.from(sig, 'base64'))
  );
}
