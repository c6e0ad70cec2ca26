// Owns judging the audit log: each line names the one before by its hash, so none can be changed, taken out or moved.

import { basename } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import type { PublicKey } from '../key.ts';
import { linesOf, openAudit } from './files.ts';
import { type AuditLine, hashLine, isSigned, noLine, parseLine } from './line.ts';

/** A line that somebody saw: its number and hash. */
export interface AuditHead {
  readonly seq: number;
  readonly hash: string;
}

export type AuditFault = 'changed' | 'missing' | 'repeated' | 'reordered' | 'foreign' | 'signature' | 'head' | 'cut';

export interface AuditVerdict {
  readonly ok: boolean;
  /** Lines that were read and fit. */
  readonly lines: number;
  readonly files: number;
  /** The last line that fits. */
  readonly head: AuditHead | null;
  /** What crashes left, each set apart by a line of its own. */
  readonly torn: number;
  /** Bytes of a last line that is not whole: being written now, or left by a crash and not yet set apart. */
  readonly unfinished: number;
  readonly fault: { readonly kind: AuditFault; readonly where: string; readonly text: string } | null;
}

/** `SEQ:HASH`, as `sandbox audit head` prints it. Throws USAGE. */
export function parseHead(text: string): AuditHead {
  const match = /^([0-9]{1,15}):([0-9a-f]{64})\s*$/.exec(text);
  if (match !== null) return { seq: Number(match[1]), hash: match[2] ?? '' };
  throw new CofferdamError('USAGE', `"${printable(text, 80)}" is no head`, {
    remedy: 'a head is SEQ:HASH; see: sandbox audit head',
  });
}

const mostFragment = 4 << 20;

class Broken extends Error {
  readonly kind: AuditFault;
  constructor(kind: AuditFault, text: string) {
    super(text);
    this.kind = kind;
  }
}

/** Follows the chain. Feed it every line in order. */
class Chain {
  last: AuditLine | undefined;
  hash: string = noLine;
  lines = 0;
  torn = 0;
  unfinished = 0;
  private fragment: Buffer[] = [];
  private missing: { seq: number; text: string } | undefined;
  private readonly known: AuditHead | undefined;

  constructor(known: AuditHead | undefined) {
    this.known = known;
  }

  feed(bytes: Buffer | undefined): void {
    const line = bytes === undefined ? undefined : parseLine(bytes);
    if (this.missing !== undefined) {
      // One line ahead tells a line that was moved from one that was taken out.
      throw line?.seq === this.missing.seq
        ? new Broken('reordered', `line ${line.seq} stands behind a later one`)
        : new Broken('missing', this.missing.text);
    }
    if (line === undefined || bytes === undefined) this.holdFragment(bytes);
    else this.link(line, bytes);
  }

  /** At the end of the log. */
  end(endedInNewline: boolean): void {
    if (this.missing !== undefined) throw new Broken('missing', this.missing.text);
    if (this.fragment.length === 0) return;
    if (endedInNewline || this.fragment.length > 1) throw this.foreign();
    this.unfinished = this.fragment[0]?.length ?? 0;
  }

  private foreign(): Broken {
    const after = this.last === undefined ? 'at the beginning' : `behind line ${this.last.seq}`;
    return new Broken('foreign', `what stands ${after} is no line of ours, or was changed`);
  }

  private holdFragment(bytes: Buffer | undefined): void {
    if (bytes !== undefined) this.fragment.push(bytes);
    const size = this.fragment.reduce((sum, { length }) => sum + length + 1, 0);
    if (bytes === undefined || size > mostFragment) throw this.foreign();
  }

  private link(line: AuditLine, bytes: Buffer): void {
    if (this.fragment.length > 0) this.closeFragment(line);
    const before = this.last?.seq ?? 0;
    const anchored = this.last === undefined && this.known?.seq === line.seq - 1 && this.known.hash === line.prev;
    if (line.seq <= before) throw new Broken('repeated', `line ${line.seq} comes after line ${before}`);
    if (line.seq > before + 1 && !anchored) {
      const gap = before + 2 === line.seq ? `line ${before + 1}` : `lines ${before + 1} to ${line.seq - 1}`;
      this.missing = { seq: before + 1, text: `${gap} ${before + 2 === line.seq ? 'is' : 'are'} missing` };
      return;
    }
    if (!anchored && line.prev !== this.hash) {
      throw new Broken('changed', `line ${before} is not the one that line ${line.seq} was written behind`);
    }
    this.last = line;
    this.hash = hashLine(bytes);
    this.lines += 1;
    if (this.known?.seq === line.seq && this.known.hash !== this.hash) {
      throw new Broken('head', `line ${line.seq} is not the one that the head names`);
    }
  }

  // The rule of lib/run/audit/log.ts: a fragment counts for nothing, and the line behind it says what it was.
  private closeFragment(line: AuditLine): void {
    const held = Buffer.concat(this.fragment.flatMap((part, i) => (i === 0 ? [part] : [Buffer.from('\n'), part])));
    const named = line.event === 'audit.torn' && line.data['sha256'] === hashLine(held);
    if (!named || line.prev !== this.hash) throw this.foreign();
    this.fragment = [];
    this.torn += 1;
  }
}

export interface AuditVerifyRequest {
  readonly state: string;
  /** An earlier head, kept elsewhere: without one, a tail that was cut off cannot be told from one never written. */
  readonly head?: AuditHead | undefined;
  /** The key of the last line; without it signatures are not looked at. */
  readonly key?: PublicKey | undefined;
}

function checkEnd(chain: Chain, { head, key }: AuditVerifyRequest): void {
  const seq = chain.last?.seq ?? 0;
  if (head !== undefined && head.seq > seq) {
    throw new Broken('cut', `the log ends with line ${seq}; line ${head.seq} was there when the head was taken`);
  }
  // The chain protects each line but the last, which nothing names yet.
  if (key !== undefined && chain.last !== undefined && !isSigned(chain.last, key)) {
    throw new Broken('signature', `line ${seq}, the last, was not signed by ${key.keyid}`);
  }
}

/** Reads the whole log, one line in memory at a time. */
export function verifyAudit(request: AuditVerifyRequest): AuditVerdict {
  const { files, close } = openAudit(request.state);
  const chain = new Chain(request.head);
  let where = 'audit.log';
  let fault: AuditVerdict['fault'] = null;
  try {
    let ended = true;
    for (const file of files) {
      let number = 0;
      for (const line of linesOf(file)) {
        number += 1;
        where = `${basename(file.path)}:${number}`;
        ended = line.ended;
        chain.feed(line.bytes);
      }
    }
    chain.end(ended);
    checkEnd(chain, request);
  } catch (cause) {
    if (!(cause instanceof Broken)) throw cause;
    fault = { kind: cause.kind, where, text: cause.message };
  } finally {
    close();
  }
  const { last, hash, lines, torn, unfinished } = chain;
  const head = last === undefined ? null : { seq: last.seq, hash };
  return { ok: fault === null, lines, files: files.length, head, torn, unfinished, fault };
}
