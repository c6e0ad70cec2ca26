// Owns what the system tests of building share: an install folder of their own and the input of a build.
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildInput } from '../../lib/image/build.ts';
import { loadDefinition } from '../../lib/image/definition.ts';

export const uid = process.getuid?.() ?? 0;

/** An install folder of the test's own, so that locks are not written into the repository. */
export function copyInstall(folder: string): string {
  const copy = join(folder, 'install');
  mkdirSync(copy);
  cpSync(join(import.meta.dirname, '../../images'), join(copy, 'images'), { recursive: true });
  return copy;
}

export function inputFor(folder: string, from: string, change: Partial<BuildInput> = {}): BuildInput {
  return {
    definition: loadDefinition(from, 'base-tools'),
    store: join(folder, 'store'),
    install: from,
    uid,
    lock: 'report',
    sourcesOverride: '/etc/cofferdam/debian.sources',
    env: {},
    now: () => new Date(),
    signal: new AbortController().signal,
    onStep: () => {},
    ...change,
  };
}

/** Where the builds that are now under way in `store` work when subordinate uids cannot reach it. */
export function outsideFolders(store: string): string[] {
  return readdirSync(store)
    .filter((name) => name.startsWith('.partial-'))
    .map((name) => `/var/tmp/cofferdam-${uid}-${name.slice('.partial-'.length)}`);
}
