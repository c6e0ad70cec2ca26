// Tests that a receipt verifies as it was written, and that each way to tamper with it fails for its own reason.
import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type PublicKey, parsePublicKey, readKey, type SigningKey } from '../../lib/run/key.ts';
import { completeRuns } from '../../lib/run/receipt/complete.ts';
import { type Envelope, sealEnvelope } from '../../lib/run/receipt/envelope.ts';
import { encodePae } from '../../lib/run/receipt/pae.ts';
import { findReceipts } from '../../lib/run/receipt/store.ts';
import { verifyReceipt } from '../../lib/run/receipt/verify.ts';
import { now, receiptScene } from './receipt-scene.ts';

async function makeReceipt(t: Test) {
  const scene = receiptScene(t);
  scene.append(scene.line('run-1'), scene.line('run-2'));
  await completeRuns(scene.host, { now });
  const [file = ''] = findReceipts(scene.state, 'run-1');
  const key = readKey(scene.state, scene.host.uid);
  if (key === undefined) throw new Error('there is no key');
  const text = readFileSync(file, 'utf8');
  const envelope = JSON.parse(text) as Envelope;
  const payload = Buffer.from(envelope.payload, 'base64').toString();
  return { ...scene, file, key, text, envelope, payload };
}

type Made = Awaited<ReturnType<typeof makeReceipt>>;

function judge({ key, state }: Made, text: string | Buffer, by: PublicKey = key, run = 'run-1') {
  const verdict = verifyReceipt({ bytes: Buffer.from(text), key: by, run, state });
  return verdict.ok ? 'ok' : verdict.fault?.kind;
}

function flip(base64: string, at: number): string {
  return `${base64.slice(0, at)}${base64[at] === 'A' ? 'B' : 'A'}${base64.slice(at + 1)}`;
}

function seal(envelope: Envelope): string {
  return `${JSON.stringify(envelope)}\n`;
}

function edit(payload: string, key: SigningKey, change: (statement: Record<string, unknown>) => void): string {
  const statement = JSON.parse(payload) as Record<string, unknown>;
  change(statement);
  return sealEnvelope(JSON.stringify(statement), key);
}

test('the signed bytes are those that DSSE says', (t) => {
  t.equal(
    encodePae('http://example.com/HelloWorld', Buffer.from('hello world')).toString(),
    'DSSEv1 29 http://example.com/HelloWorld 11 hello world',
  );
  t.equal(encodePae('é', Buffer.from('ü')).toString(), 'DSSEv1 2 é 2 ü', 'lengths are bytes');
  t.end();
});

test('a receipt verifies as it was written', async (t) => {
  const made = await makeReceipt(t);
  t.equal(judge(made, made.text), 'ok');
  t.equal(judge(made, made.text, parsePublicKey(made.key.pem, 'its public half')), 'ok');
});

test('refuses a receipt that was tampered with, for the right reason', async (t) => {
  const made = await makeReceipt(t);
  const { text, envelope, payload, key, state } = made;
  const [signature = { keyid: '', sig: '' }] = envelope.signatures;
  const other = generateKeyPairSync('ed25519');
  const otherKey = parsePublicKey(other.publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'other');
  const cases: readonly [string, string | undefined, string][] = [
    ['a byte of the payload', judge(made, seal({ ...envelope, payload: flip(envelope.payload, 200) })), 'signature'],
    [
      'a byte of the signature',
      judge(made, seal({ ...envelope, signatures: [{ ...signature, sig: flip(signature.sig, 10) }] })),
      'signature',
    ],
    ['verified by another key', judge(made, text, otherKey), 'keyid'],
    ['another payload type', judge(made, seal({ ...envelope, payloadType: 'text/plain' })), 'payloadType'],
    ['a second signature', judge(made, seal({ ...envelope, signatures: [signature, signature] })), 'signatures'],
    ['no signature', judge(made, seal({ ...envelope, signatures: [] })), 'signatures'],
    [
      'another key id',
      judge(made, seal({ ...envelope, signatures: [{ ...signature, keyid: otherKey.keyid }] })),
      'keyid',
    ],
    ['cut short', judge(made, text.slice(0, -20)), 'envelope'],
    ['empty', judge(made, ''), 'envelope'],
    ['spacing', judge(made, JSON.stringify(envelope, null, 1)), 'envelope'],
    ['bytes behind the end', judge(made, `${text}\n`), 'envelope'],
    ['a byte order mark', judge(made, `\ufeff${text}`), 'envelope'],
    ['a key that stands twice', judge(made, text.replace('{', '{"payload":"e30=",')), 'envelope'],
    ['a further key', judge(made, text.replace('{', '{"extra":1,')), 'envelope'],
    ['an escaped key', judge(made, text.replace('"payload"', '"p\\u0061yload"')), 'envelope'],
    [
      'junk in the base64',
      judge(made, seal({ ...envelope, payload: `${envelope.payload.slice(0, 40)}*${envelope.payload.slice(40)}` })),
      'base64',
    ],
    [
      'spare bits in the base64',
      judge(
        made,
        seal({
          ...envelope,
          signatures: [
            {
              ...signature,
              sig: `${signature.sig.slice(0, -3)}${signature.sig.at(-3) === 'w' ? 'x' : signature.sig.at(-3) === 'Q' ? 'R' : signature.sig.at(-3) === 'g' ? 'h' : 'B'}==`,
            },
          ],
        }),
      ),
      'base64',
    ],
    ['the receipt of another run', judge(made, readFileSync(findReceipts(state, 'run-2')[0] ?? '')), 'run'],
    [
      'a payload with a key twice, signed',
      judge(made, sealEnvelope(payload.replace('{', '{"predicateType":"x",'), key)),
      'statement',
    ],
    ['a payload with spacing, signed', judge(made, sealEnvelope(`${payload} `, key)), 'statement'],
    [
      'a further key in the payload, signed',
      judge(
        made,
        edit(payload, key, (s) => Object.assign(s, { more: 1 })),
      ),
      'statement',
    ],
    [
      'a future version, signed',
      judge(
        made,
        edit(payload, key, (s) => Object.assign(s, { predicateType: 'https://cofferdam.dev/receipt/v2' })),
      ),
      'version',
    ],
    [
      'another digest of the subject, signed',
      judge(
        made,
        edit(payload, key, (s) =>
          Object.assign(s, { subject: [{ name: 'run-1', digest: { sha256: '0'.repeat(64) } }] }),
        ),
      ),
      'subject',
    ],
    [
      'another name of the subject, signed',
      judge(
        made,
        edit(payload, key, (s) => Object.assign((s['subject'] as object[])[0] ?? {}, { name: 'run-2' })),
      ),
      'subject',
    ],
    [
      'a better result, signed',
      judge(
        made,
        payload.includes('"exitCode":0') ? sealEnvelope(payload.replace('"exitCode":0', '"exitCode":1'), key) : '',
      ),
      'audit',
    ],
    [
      'a number that no line has, signed',
      judge(
        made,
        edit(payload, key, (s) => Object.assign(s['predicate'] as object, { sequence: 99 })),
      ),
      'audit',
    ],
  ];
  for (const [title, found, wanted] of cases) t.equal(found, wanted, title);
});

test('refuses a receipt with any one byte changed', async (t) => {
  const made = await makeReceipt(t);
  const bytes = Buffer.from(made.text);
  const accepted: number[] = [];
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    if (judge(made, changed) === 'ok') accepted.push(at);
  }
  t.same(accepted, []);
});

test('refuses the envelope of another run that was copied over it', async (t) => {
  const made = await makeReceipt(t);
  const [other = ''] = findReceipts(made.state, 'run-2');
  copyFileSync(other, join(made.state, 'copy.json'));
  t.equal(judge(made, readFileSync(join(made.state, 'copy.json'))), 'run');
  t.equal(judge(made, readFileSync(other), made.key, 'run-2'), 'ok', 'control: in its own place it holds');
});
