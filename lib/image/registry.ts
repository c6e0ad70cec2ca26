// Owns registry.json of a store: which images it holds, in which builds, and whether they may be used.
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { CofferdamError, messageOf } from '../base/errors.ts';
import { readTextIfPresent, writeFileAtomic } from '../base/files.ts';
import { parseStrict } from '../base/strict.ts';
import { capabilitiesSchema, type Digest, digestPattern, imageNamePattern } from './schema.ts';

const digest = z.custom<Digest>((value) => typeof value === 'string' && digestPattern.test(value), 'must be sha256:…');

export const recordSchema = z.strictObject({
  name: z.string().regex(imageNamePattern),
  version: z.string(),
  description: z.string(),
  digest,
  arch: z.string(),
  suite: z.string(),
  builtAt: z.string(),
  /** Bytes of the canonical tar that the digest is of. */
  bytes: z.number().int().nonnegative(),
  capabilities: capabilitiesSchema,
  labels: z.record(z.string(), z.string()),
  allowed: z.boolean(),
  /** What differs from lock.json: `name locked → built`, one string each. */
  drift: z.array(z.string()),
});

const registrySchema = z.strictObject({
  format: z.literal(1),
  /** Newest last; the last of a name is the one used where no digest is pinned. */
  images: z.array(recordSchema),
});

export type ImageRecord = z.output<typeof recordSchema>;
export type Registry = z.output<typeof registrySchema>;

export function registryFile(store: string): string {
  return join(store, 'registry.json');
}

/** The registry of `store`; a store without one is empty. Throws CONFIG_INVALID, CONFIG_UNREADABLE: never defaults. */
export function readRegistry(store: string): Registry {
  const file = registryFile(store);
  const text = readTextIfPresent(file, 8 << 20);
  if (text === undefined) return { format: 1, images: [] };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CofferdamError('CONFIG_INVALID', `${file}: ${messageOf(cause)}`, { cause });
  }
  return parseStrict(registrySchema, { file, value, where: () => file });
}

/** Replaces the registry of `store`. The caller holds the store's lock. Readable by every user of the host. */
export function writeRegistry(store: string, registry: Registry): void {
  const file = registryFile(store);
  writeFileAtomic(file, `${JSON.stringify(registry, null, 2)}\n`, 0o644);
  // The umask of whoever builds must not hide the registry from the others.
  chmodSync(file, 0o644);
}

/**
 * `registry` with `added` as the newest of its name. What an administrator forbade stays forbidden when it is built
 * again: the definition's `allowed: true` does not lift it.
 */
export function withRecord(registry: Registry, added: ImageRecord): Registry {
  const earlier = registry.images.filter((record) => record.name === added.name);
  const allowed = added.allowed && (earlier.at(-1)?.allowed ?? true);
  const others = registry.images.filter((record) => record.name !== added.name || record.digest !== added.digest);
  return { format: 1, images: [...others, { ...added, allowed }] };
}
