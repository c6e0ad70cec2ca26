// Tests that the signing key is ours alone, made once, and never replaced behind anybody's back.
import { generateKeyPairSync } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'tap';
import { keyFile, makeKey, parsePublicKey, readKey } from '../../lib/run/key.ts';

const uid = process.getuid?.() ?? -1;

test('a key is made once, for its owner alone', (t) => {
  const state = t.testdir({});
  t.equal(readKey(state, uid), undefined);
  const made = makeKey(state);
  t.equal(statSync(keyFile(state)).mode & 0o777, 0o600);
  t.match(readFileSync(keyFile(state), 'utf8'), /^-----BEGIN PRIVATE KEY-----/);
  const read = readKey(state, uid);
  t.equal(read?.keyid, made.keyid);
  const bytes = Buffer.from('x');
  t.ok(parsePublicKey(made.pem, 'its public half').verify(bytes, read?.sign(bytes) ?? bytes));
  t.throws(() => makeKey(state), { code: 'KEY_INVALID' });
  t.equal(readKey(state, uid)?.keyid, made.keyid, 'it is still the same');
  t.end();
});

test('refuses a key of another mode, owner or kind', (t) => {
  const state = t.testdir({});
  makeKey(state);
  const file = keyFile(state);
  const refused = (why: RegExp, by = uid) => t.throws(() => readKey(state, by), { code: 'KEY_INVALID', message: why });
  for (const mode of [0o640, 0o604, 0o700, 0o4600]) {
    chmodSync(file, mode);
    refused(/mode/);
  }
  chmodSync(file, 0o600);
  refused(/belongs to uid/, uid + 1);
  if (uid === 0) {
    chownSync(file, 12_345, 0);
    refused(/belongs to uid 12345/);
    chownSync(file, 0, 0);
  }
  renameSync(file, `${file}.real`);
  symlinkSync(`${file}.real`, file);
  refused(/link/);
  rmSync(file);
  mkdirSync(file);
  refused(/./);
  rmSync(file, { recursive: true });
  const write = (text: string) => writeFileSync(file, text, { mode: 0o600 });
  write('');
  refused(/damaged/);
  write('x'.repeat(5000));
  refused(/not a key file/);
  write(
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  );
  refused(/not ed25519/);
  t.end();
});

test('refuses a public key that is private, of another kind, or none', (t) => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    .publicKey.export({ type: 'spki', format: 'pem' })
    .toString();
  for (const text of [
    '',
    'hello',
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    rsa,
    '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
  ]) {
    t.throws(() => parsePublicKey(text, 'k'), { code: 'KEY_INVALID' });
  }
  t.end();
});
