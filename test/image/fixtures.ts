// Owns small images and stores for tests.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hostArchitecture, imageDirectory } from '../../lib/image/find.ts';
import { type ImageRecord, readRegistry, withRecord, writeRegistry } from '../../lib/image/registry.ts';
import type { Digest } from '../../lib/image/schema.ts';

/** A folder of the test's own, removed when it ends. */
export function ownFolder(t: { teardown(act: () => void): void }): string {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-test-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A digest made of one hex digit. */
export function digestOf(digit: string): Digest {
  return `sha256:${digit.repeat(64)}`;
}

export function makeRecord(change: Partial<ImageRecord> = {}): ImageRecord {
  return {
    name: 'small',
    version: '1.0.0',
    description: 'a small image',
    digest: digestOf('a'),
    arch: hostArchitecture(),
    suite: 'trixie',
    builtAt: '2026-01-01T00:00:00.000Z',
    bytes: 1024,
    capabilities: {
      runtimes: ['sh'],
      tools: [],
      network_requirements: [],
      filesystem_requirements: [],
      agent_compatible: true,
    },
    labels: {},
    allowed: true,
    drift: [],
    ...change,
  };
}

/** Puts an image with an empty but well-formed tree into `store`; returns its folder. */
export function installImage(store: string, record: ImageRecord): string {
  const directory = imageDirectory(store, record.name, record.digest);
  const rootfs = join(directory, 'rootfs');
  for (const folder of ['proc', 'sys', 'dev', 'run', 'tmp', 'workspace', 'artifacts', 'sandbox', 'etc', '.cofferdam']) {
    mkdirSync(join(rootfs, folder), { recursive: true });
  }
  writeFileSync(join(rootfs, '.cofferdam/init'), '', { mode: 0o555 });
  writeFileSync(join(directory, 'image.json'), JSON.stringify(record));
  for (const name of ['packages.json', 'sbom.cdx.json']) writeFileSync(join(directory, name), '{}');
  writeRegistry(store, withRecord(readRegistry(store), record));
  return directory;
}
