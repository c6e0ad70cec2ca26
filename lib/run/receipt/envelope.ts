// Owns the DSSE envelope around a receipt: one payload, one signature, one way to write it.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { PublicKey, SigningKey } from '../key.ts';
import { encodePae } from './pae.ts';

export const payloadType = 'application/vnd.in-toto+json';
/** Bytes of the largest receipt that is read: a thousand artifacts with the longest paths fit. */
export const mostEnvelope = 32 << 20;

const envelopeSchema = z.strictObject({
  payload: z.string(),
  payloadType: z.string(),
  signatures: z.array(z.strictObject({ keyid: z.string(), sig: z.string() })),
});

export type Envelope = z.output<typeof envelopeSchema>;

function renderEnvelope({ payload, payloadType: type, signatures }: Envelope): string {
  return `${JSON.stringify({ payload, payloadType: type, signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig })) })}\n`;
}

/** The text of a file that holds `payload`, signed. */
export function sealEnvelope(payload: string, key: SigningKey): string {
  const bytes = Buffer.from(payload);
  const sig = key.sign(encodePae(payloadType, bytes)).toString('base64');
  return renderEnvelope({ payload: bytes.toString('base64'), payloadType, signatures: [{ keyid: key.keyid, sig }] });
}

/** sha256 of an envelope's bytes: what the audit log and results name it by. */
export function digestOf(bytes: string | Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Why an envelope is not one of this key's. */
export type EnvelopeFault = 'envelope' | 'payloadType' | 'base64' | 'signatures' | 'keyid' | 'signature';

export type Opened = { readonly payload: Buffer } | { readonly fault: EnvelopeFault; readonly text: string };

function decodeBase64(text: string): Buffer | undefined {
  // Node passes over what is no base64, and takes spare bits: then two texts would carry one signature.
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function parseEnvelope(bytes: Buffer): Envelope | string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return 'it is not UTF-8';
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is not JSON, or was cut';
  }
  const parsed = envelopeSchema.safeParse(value);
  if (!parsed.success) return 'it is not a DSSE envelope, or has further keys';
  // A key that stands twice, spacing, escapes: another reader could see another envelope in the same bytes.
  return renderEnvelope(parsed.data) === text
    ? parsed.data
    : 'it is not written as we write envelopes (keys twice, spacing, order)';
}

/**
 * The payload, once the signature over exactly these bytes holds. Beyond DSSE, which ignores keyid, further signatures
 * and layout: one signature, its true key id, and our own layout, so that any changed byte is a fault.
 */
export function openEnvelope(bytes: Buffer, key: PublicKey): Opened {
  const envelope = parseEnvelope(bytes);
  if (typeof envelope === 'string') return { fault: 'envelope', text: envelope };
  const [signature, ...more] = envelope.signatures;
  if (envelope.payloadType !== payloadType) {
    return { fault: 'payloadType', text: `its payload type is not ${payloadType}` };
  }
  if (signature === undefined || more.length > 0) {
    return { fault: 'signatures', text: `it has ${envelope.signatures.length} signatures, not one` };
  }
  const payload = decodeBase64(envelope.payload);
  const sig = decodeBase64(signature.sig);
  if (payload === undefined || sig === undefined)
    return { fault: 'base64', text: 'its base64 is not in the one right form' };
  if (signature.keyid !== key.keyid) return { fault: 'keyid', text: `it names another key than ${key.keyid}` };
  if (!key.verify(encodePae(envelope.payloadType, payload), sig)) {
    return {
      fault: 'signature',
      text: 'the signature does not hold: the payload or the signature was changed, or another key signed it',
    };
  }
  return { payload };
}
