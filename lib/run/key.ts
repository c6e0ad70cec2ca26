// Owns the key that signs receipts and audit lines: ed25519, one per state folder, made once and never replaced silently.
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto';
import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  linkSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf, messageOf } from '../base/errors.ts';
import { diskError, ensureDirectory, syncDirectory } from '../base/files.ts';
import { printable } from '../base/printable.ts';

export interface PublicKey {
  /** sha256 of the SubjectPublicKeyInfo (DER), 64 hex digits. */
  readonly keyid: string;
  /** SPKI PEM. */
  readonly pem: string;
  verify(bytes: Uint8Array, signature: Uint8Array): boolean;
}

export interface SigningKey extends PublicKey {
  sign(bytes: Uint8Array): Buffer;
}

const mostBytes = 4096;

/** `<state>/key`: PKCS8 PEM, 0600. */
export function keyFile(state: string): string {
  return join(state, 'key');
}

function invalid(file: string, why: string, cause?: unknown): CofferdamError {
  return new CofferdamError('KEY_INVALID', `the key ${printable(file)} ${why}`, cause === undefined ? {} : { cause });
}

function publicPart(key: KeyObject): PublicKey {
  const der = key.export({ type: 'spki', format: 'der' });
  return {
    keyid: createHash('sha256').update(der).digest('hex'),
    pem: key.export({ type: 'spki', format: 'pem' }).toString(),
    verify: (bytes, signature) => signature.length === 64 && verify(null, bytes, key, signature),
  };
}

function signingKey(secret: KeyObject): SigningKey {
  return { ...publicPart(createPublicKey(secret)), sign: (bytes) => sign(null, bytes, secret) };
}

/** A public key from its PEM. Throws KEY_INVALID for anything else, a private key among them. */
export function parsePublicKey(text: string, name: string): PublicKey {
  if (!/^-----BEGIN PUBLIC KEY-----\s/.test(text)) throw invalid(name, 'is no public key in PEM (SPKI)');
  let key: KeyObject;
  try {
    key = createPublicKey(text);
  } catch (cause) {
    throw invalid(name, 'cannot be read', cause);
  }
  if (key.asymmetricKeyType !== 'ed25519') throw invalid(name, `is ${key.asymmetricKeyType}, not ed25519`);
  return publicPart(key);
}

function readSecret(fd: number, file: string, uid: number): string {
  const found = fstatSync(fd);
  if (!found.isFile() || found.size > mostBytes) throw invalid(file, 'is not a key file of ours');
  if (found.uid !== uid) throw invalid(file, `belongs to uid ${found.uid}, not to ${uid}`);
  if ((found.mode & 0o7177) !== 0) throw invalid(file, `has mode ${(found.mode & 0o7777).toString(8)}, not 600`);
  const buffer = Buffer.alloc(mostBytes);
  return buffer.toString('latin1', 0, readSync(fd, buffer, 0, mostBytes, 0));
}

/** The key of a state folder, or undefined when none was made yet. Throws KEY_INVALID for one of another owner, mode or kind. */
export function readKey(state: string, uid: number): SigningKey | undefined {
  const file = keyFile(state);
  let fd: number;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw invalid(file, errnoOf(cause) === 'ELOOP' ? 'is a link' : `cannot be opened: ${messageOf(cause)}`, cause);
  }
  try {
    const secret = createPrivateKey(readSecret(fd, file, uid));
    if (secret.asymmetricKeyType !== 'ed25519') throw invalid(file, `is ${secret.asymmetricKeyType}, not ed25519`);
    return signingKey(secret);
  } catch (cause) {
    throw cause instanceof CofferdamError ? cause : invalid(file, 'is damaged', cause);
  } finally {
    closeSync(fd);
  }
}

/** Sets the key aside, if there is one: `key.<first digits of its id>.<ms>.retired`, so that nothing it signed is orphaned. */
export function retireKey(state: string, keyid: string | undefined, now: number): void {
  const file = keyFile(state);
  try {
    renameSync(file, `${file}.${keyid?.slice(0, 16) ?? 'unused'}.${now}.retired`);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw diskError(cause, `cannot set ${file} aside`);
  }
}

/**
 * Makes the key. To be called under the lock of the audit log. A key that stands there is never touched: link(2) fails
 * then. Throws KEY_INVALID, DISK_FULL.
 */
export function makeKey(state: string): SigningKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  const file = keyFile(state);
  // Whole or not at all: written under another name first.
  const beside = `${file}.new`;
  ensureDirectory(state);
  try {
    rmSync(beside, { force: true });
    const fd = openSync(
      beside,
      constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
      0o600,
    );
    try {
      writeSync(fd, pem);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    linkSync(beside, file);
    syncDirectory(state);
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') throw invalid(file, 'exists; it is not replaced');
    throw diskError(cause, `cannot make the key ${file}`);
  } finally {
    rmSync(beside, { force: true });
  }
  return signingKey(privateKey);
}
