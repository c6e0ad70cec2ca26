// Owns finding a built image by name in the stores, and refusing one that must not be used.
import { arch } from 'node:os';
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import { type ImageRecord, readRegistry, registryFile } from './registry.ts';
import { checkRootfs } from './rootfs.ts';
import { type Capabilities, type Digest, imageNamePattern } from './schema.ts';

export interface InstalledImage {
  readonly name: string;
  readonly version: string;
  readonly digest: Digest;
  readonly rootfs: string;
  /** Holds rootfs/, image.json, packages.json and sbom.cdx.json. */
  readonly directory: string;
  readonly allowed: boolean;
  readonly capabilities: Capabilities;
  readonly labels: Readonly<Record<string, string>>;
  readonly record: ImageRecord;
}

/** Debian's word for the architecture of this host. */
export function hostArchitecture(): string {
  const ours = arch();
  return ours === 'x64' ? 'amd64' : ours;
}

/** The registry files that findImage consults, present or not: what it answers depends on nothing else. */
export function registryFiles(stores: readonly string[]): string[] {
  return stores.map(registryFile);
}

/** Where a build lies. The colon of a digest would end a field in bind-mount and overlay options. */
export function imageDirectory(store: string, name: string, digest: Digest): string {
  return join(store, name, digest.replace(':', '-'));
}

/** Every record of `stores`, with its store, in the order of the search: newest first within a store. */
export function listImages(stores: readonly string[]): { store: string; record: ImageRecord }[] {
  return stores.flatMap((store) =>
    readRegistry(store)
      .images.map((record) => ({ store, record }))
      .reverse(),
  );
}

/**
 * The image to use for `name`: the newest build of the first store that has one, or the one with digest `pin`.
 * Throws IMAGE_UNKNOWN with near names, IMAGE_NOT_BUILT with the command that builds it, IMAGE_DIGEST when only other
 * digests are there, IMAGE_NOT_ALLOWED, IMAGE_UNSAFE. `defined` are the names that can be built.
 */
export function findImage(
  name: string,
  stores: readonly string[],
  pin?: string,
  defined: readonly string[] = [],
): InstalledImage {
  const all = listImages(stores);
  const shown = printable(name, 80);
  const known = [...new Set([...defined, ...all.map(({ record }) => record.name)])];
  const ofName = all.filter(({ record }) => record.name === name && record.arch === hostArchitecture());
  if (ofName.length === 0) {
    // Without `defined`, a well-formed name may be one that is shipped but not built.
    if (!imageNamePattern.test(name) || (defined.length > 0 && !known.includes(name))) {
      throw new CofferdamError('IMAGE_UNKNOWN', `no image is called "${shown}"${didYouMean(name, known)}`);
    }
    throw new CofferdamError('IMAGE_NOT_BUILT', `image "${shown}" is not built on this host`, {
      remedy: `build it: sandbox image build ${shown}`,
    });
  }
  const chosen = pin === undefined ? ofName[0] : ofName.find(({ record }) => record.digest === pin);
  if (chosen === undefined) {
    throw new CofferdamError('IMAGE_DIGEST', `image "${shown}" with digest ${printable(pin ?? '', 80)} is not here`, {
      details: ofName.map(({ record }) => `here is ${record.digest}, built ${printable(record.builtAt)}`),
    });
  }
  // A "no" in any store we search wins: a user's own copy does not get around the administrator's.
  const forbidden = ofName.some(({ store, record }) => {
    const current = ofName.find((other) => other.store === store)?.record === record;
    return !record.allowed && (current || record.digest === chosen.record.digest);
  });
  if (forbidden) throw new CofferdamError('IMAGE_NOT_ALLOWED', `image "${shown}" must not be used on this host`);
  const directory = imageDirectory(chosen.store, name, chosen.record.digest);
  const rootfs = join(directory, 'rootfs');
  checkRootfs(rootfs);
  const { version, digest, allowed, capabilities, labels } = chosen.record;
  return { name, version, digest, rootfs, directory, allowed, capabilities, labels, record: chosen.record };
}
