// Owns appending to the audit log: under its lock, chained, signed, synced, rotated by size.
import { closeSync, constants, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import { diskError, ensureDirectory } from '../../base/files.ts';
import { type FileLock, takeFileLock } from '../../base/lock.ts';
import { keyFile, makeKey, readKey, retireKey, type SigningKey } from '../key.ts';
import { rotateAudit } from './files.ts';
import { type AuditEvent, hashLine, renderLine, type Through } from './line.ts';
import { type AuditTail, readAuditTail } from './tail.ts';

export interface AuditOwner {
  /** Folder of the key and the log. */
  readonly state: string;
  readonly uid: number;
  /** ms since the epoch: the time of all that is appended. */
  readonly now: number;
  /** Bytes after which a file is set aside. */
  readonly rotateAt?: number;
}

export interface AuditLog {
  readonly key: SigningKey;
  /** Number and `prev` of the next line. */
  next(): { readonly seq: number; readonly prev: string };
  through(): Through | null;
  /** Adds a line in memory. */
  draft(event: AuditEvent, through?: Through | null): void;
  /** Writes what was drafted, at once, and syncs it. Throws DISK_FULL, TOOL_FAILED. */
  commit(): void;
}

const rotateAtDefault = 8 << 20;

function appendText(state: string, text: string): void {
  const file = join(state, 'audit.log');
  const bytes = Buffer.from(text);
  try {
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    const fd = openSync(file, flags, 0o600);
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(fd, bytes, done);
      fdatasyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (errnoOf(cause) === 'ELOOP') throw new CofferdamError('AUDIT_DAMAGED', `${file} is a link`, { cause });
    throw diskError(cause, `cannot write ${file}`);
  }
}

function openLog({ state, now, rotateAt = rotateAtDefault }: AuditOwner, tail: AuditTail, key: SigningKey): AuditLog {
  let { seq, hash, through, open, size } = tail;
  let drafted: string[] = [];
  const draft = (event: AuditEvent, next: Through | null = through) => {
    through = next;
    const time = new Date(now).toISOString();
    const line = renderLine({ seq: seq + 1, time, ...event, through, prev: hash }, key);
    seq += 1;
    hash = hashLine(line);
    drafted.push(line);
  };
  const commit = () => {
    if (drafted.length === 0) return;
    // What ends without a newline is continued in the same file, so that no rotated file ends in half a line.
    if (size >= rotateAt && !open) {
      rotateAudit(state);
      size = 0;
    }
    const text = `${open ? '\n' : ''}${drafted.join('\n')}\n`;
    drafted = [];
    appendText(state, text);
    open = false;
    size += Buffer.byteLength(text);
  };
  return { key, next: () => ({ seq: seq + 1, prev: hash }), through: () => through, draft, commit };
}

/** Names a fragment: the lines before and behind it are chained around it, and it is never taken for one. */
function describeFragment(fragment: Buffer): AuditEvent {
  return { event: 'audit.torn', run: null, data: { bytes: fragment.length, sha256: hashLine(fragment) } };
}

/** Takes the lock of the log and of all that it answers for: key, receipts, runs.log. */
export async function lockAudit(state: string): Promise<FileLock> {
  ensureDirectory(state);
  return takeFileLock(join(state, 'audit.lock'));
}

/**
 * Runs `act` with the log under its lock. The key is made when the log is empty; later a missing one is an error. Throws
 * KEY_INVALID, AUDIT_DAMAGED, DISK_FULL, TOOL_FAILED.
 */
export async function withAudit<T>(owner: AuditOwner, act: (log: AuditLog) => T | Promise<T>): Promise<T> {
  const lock = await lockAudit(owner.state);
  try {
    const tail = readAuditTail(owner.state);
    const found = readKey(owner.state, owner.uid);
    if (found === undefined && tail.seq > 0) {
      throw new CofferdamError('KEY_INVALID', `the key ${keyFile(owner.state)} is gone; it signed ${tail.seq} lines`);
    }
    const key = found ?? makeKey(owner.state);
    const log = openLog(owner, tail, key);
    if (tail.fragment !== undefined) log.draft(describeFragment(tail.fragment));
    if (tail.seq === 0) log.draft({ event: 'audit.begun', run: null, data: { keyid: key.keyid, publicKey: key.pem } });
    log.commit();
    return await act(log);
  } finally {
    lock.release();
  }
}

/**
 * Makes another key, on purpose: the old one, damaged or whole, is kept beside it, and the log says which followed which.
 * Throws as withAudit.
 */
export async function renewKey(owner: AuditOwner): Promise<SigningKey> {
  const lock = await lockAudit(owner.state);
  try {
    const tail = readAuditTail(owner.state);
    retireKey(owner.state, tail.last?.keyid, owner.now);
    const key = makeKey(owner.state);
    const log = openLog(owner, tail, key);
    if (tail.fragment !== undefined) log.draft(describeFragment(tail.fragment));
    const data = { keyid: key.keyid, publicKey: key.pem, replaces: tail.last?.keyid ?? null };
    log.draft({ event: tail.seq === 0 ? 'audit.begun' : 'key.replaced', run: null, data });
    log.commit();
    return key;
  } finally {
    lock.release();
  }
}
