// Owns lock.json: exactly what an image was built from, and how a new build differs from it.
import { join } from 'node:path';
import { z } from 'zod';
import { CofferdamError, messageOf } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import { parseStrict } from '../base/strict.ts';
import { compareText } from './dpkg.ts';

const text = z.string().min(1).max(300);

const lockSchema = z.strictObject({
  format: z.literal(1),
  debian: z.array(z.strictObject({ name: text, version: text, arch: text, source: text.optional() })),
  pypi: z.array(z.strictObject({ name: text, version: text, file: text, sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
  npm: z.array(z.strictObject({ name: text, version: text, integrity: z.string().regex(/^sha512-[A-Za-z0-9+/=]+$/) })),
});

export type Lock = z.output<typeof lockSchema>;

/** Versions differ by architecture now and then, so each has its file; amd64's is the plain name. */
export function lockPath(folder: string, arch: string): string {
  return join(folder, arch === 'amd64' ? 'lock.json' : `lock.${arch}.json`);
}

/** The lock beside an image.yaml, or undefined. Throws CONFIG_INVALID, CONFIG_UNREADABLE. */
export function readLock(folder: string, arch: string): Lock | undefined {
  const file = lockPath(folder, arch);
  const content = readTextIfPresent(file, 8 << 20);
  if (content === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(content);
  } catch (cause) {
    throw new CofferdamError('CONFIG_INVALID', `${file}: ${messageOf(cause)}`, { cause });
  }
  return parseStrict(lockSchema, { file, value, where: () => file });
}

/** One package a line, so that a diff of the file reads as the list of what changed. */
export function renderLock(lock: Lock): string {
  const list = (items: readonly object[]) =>
    items.length === 0 ? '[]' : `[\n${items.map((item) => `    ${JSON.stringify(item)}`).join(',\n')}\n  ]`;
  const { debian, pypi, npm } = lock;
  return `{\n  "format": 1,\n  "debian": ${list(debian)},\n  "pypi": ${list(pypi)},\n  "npm": ${list(npm)}\n}\n`;
}

function versions(lock: Lock): Map<string, string> {
  return new Map([
    ...lock.debian.map(({ name, version, arch }): [string, string] => [`${name}:${arch}`, version]),
    ...lock.pypi.map(({ name, version, sha256 }): [string, string] => [`pypi:${name}`, `${version} ${sha256}`]),
    ...lock.npm.map(({ name, version, integrity }): [string, string] => [`npm:${name}`, `${version} ${integrity}`]),
  ]);
}

/** What differs, one line each, sorted: `curl:amd64 8.14.1-2 → 8.14.1-3`, with `absent` for what one lacks. */
export function compareLock(locked: Lock, built: Lock): string[] {
  const before = versions(locked);
  const after = versions(built);
  return [...new Set([...before.keys(), ...after.keys()])]
    .filter((name) => before.get(name) !== after.get(name))
    .sort(compareText)
    .map((name) => `${name} ${before.get(name) ?? 'absent'} → ${after.get(name) ?? 'absent'}`);
}
