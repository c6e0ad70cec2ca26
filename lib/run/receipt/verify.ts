// Owns judging a receipt offline: signature, form, subject, and its place in the audit log where that is at hand.
import { createHash } from 'node:crypto';
import { printable } from '../../base/printable.ts';
import { findLine } from '../audit/find.ts';
import type { PublicKey } from '../key.ts';
import { digestOf, type EnvelopeFault, openEnvelope } from './envelope.ts';
import { predicateType, type Statement, statementSchema, statementType } from './statement.ts';

export type ReceiptFault = EnvelopeFault | 'version' | 'statement' | 'subject' | 'run' | 'audit';

export interface ReceiptVerdict {
  readonly ok: boolean;
  readonly fault: { readonly kind: ReceiptFault; readonly text: string } | null;
  /** sha256 of the file, 64 hex digits. */
  readonly digest: string;
  readonly keyid: string;
  /** Whether the audit log names this very file. `not checked`: it is not at hand. */
  readonly audit: 'named' | 'not checked';
  /** Present once the signature holds and its form is known. */
  readonly statement: Statement | undefined;
}

export interface ReceiptVerifyRequest {
  readonly bytes: Buffer;
  readonly key: PublicKey;
  /** The run it must be about. */
  readonly run?: string | undefined;
  /** State folder whose audit log must name it. */
  readonly state?: string | undefined;
}

type Judged = { statement: Statement } | { kind: ReceiptFault; text: string };

function parseStatement(payload: Buffer): Judged {
  let value: unknown;
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
    value = JSON.parse(text);
  } catch {
    return { kind: 'statement', text: 'what is signed is not JSON' };
  }
  const types = typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  if (types['_type'] !== statementType || types['predicateType'] !== predicateType) {
    const found = printable(`${types['_type']} / ${types['predicateType']}`, 120);
    return { kind: 'version', text: `it is of a form that this version does not know: ${found}` };
  }
  const parsed = statementSchema.safeParse(value);
  if (!parsed.success) {
    const place = parsed.error.issues[0]?.path.join('.') ?? '';
    return { kind: 'statement', text: `what is signed is not a receipt, or has further keys: ${printable(place, 80)}` };
  }
  // Key order is not the schema's alone to say (labels); the value as it was parsed must give the same bytes.
  if (JSON.stringify(value) !== text) {
    return { kind: 'statement', text: 'what is signed is not written as we write it (keys twice, spacing)' };
  }
  return { statement: parsed.data };
}

function checkSubject({ subject, predicate }: Statement): { kind: ReceiptFault; text: string } | undefined {
  const [{ name, digest }] = subject;
  const found = createHash('sha256').update(predicate.record).digest('hex');
  if (digest.sha256 !== found) return { kind: 'subject', text: 'its subject is not the digest of the record it holds' };
  const words = predicate.record.split(' ');
  const recorded = words[0] === 'lost' ? words[2] : words[1];
  if (name !== predicate.run.id || name !== recorded) {
    return { kind: 'subject', text: 'its subject, its run and its record are not about one run' };
  }
  return undefined;
}

function checkAudit(
  { predicate }: Statement,
  digest: string,
  state: string,
): { kind: ReceiptFault; text: string } | undefined {
  const line = findLine(state, predicate.sequence);
  if (line === undefined) return { kind: 'audit', text: `the audit log has no line ${predicate.sequence}` };
  const named = line.data['receipt'] as { sha256?: unknown } | undefined;
  if (line.run === predicate.run.id && named?.sha256 === digest && line.prev === predicate.auditHead) return undefined;
  return { kind: 'audit', text: `line ${predicate.sequence} of the audit log names another receipt` };
}

/** Whether a file is the receipt it should be. Any byte of it that is changed is a fault. */
export function verifyReceipt({ bytes, key, run, state }: ReceiptVerifyRequest): ReceiptVerdict {
  const digest = digestOf(bytes);
  const { keyid } = key;
  const fail = (fault: ReceiptVerdict['fault'], statement?: Statement): ReceiptVerdict => {
    return { ok: false, fault, digest, keyid, audit: 'not checked', statement };
  };
  const opened = openEnvelope(bytes, key);
  if ('fault' in opened) return fail({ kind: opened.fault, text: opened.text });
  const judged = parseStatement(opened.payload);
  if ('kind' in judged) return fail(judged);
  const { statement } = judged;
  const wrong = checkSubject(statement);
  if (wrong !== undefined) return fail(wrong, statement);
  const { id } = statement.predicate.run;
  if (run !== undefined && id !== run) {
    return fail({ kind: 'run', text: `it is the receipt of another run: ${id}` }, statement);
  }
  const unnamed = state === undefined ? undefined : checkAudit(statement, digest, state);
  if (unnamed !== undefined) return fail(unnamed, statement);
  return { ok: true, fault: null, digest, keyid, audit: state === undefined ? 'not checked' : 'named', statement };
}
