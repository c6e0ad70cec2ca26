// Owns a world of its own for each test: config, install and host folders in a temp directory that goes with the test.
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Paths } from '../../lib/base/paths.ts';
import type { FindRequest } from '../../lib/profile/find.ts';
import { loadHostConfig } from '../../lib/profile/hostConfig.ts';

export const repository = dirname(dirname(import.meta.dirname));
export const self = process.getuid?.() ?? 0;

export interface World {
  readonly root: string;
  readonly paths: Paths;
  /** Writes a file with mode 0644, below `root`, and returns its absolute path. */
  write(path: string, content: string | Uint8Array): string;
  /** A profile in the user's folder. */
  profile(name: string, content: string): string;
  /** The host's config.yaml. */
  host(content: string): string;
  /** What loadProfile and findProfile take, with the ceiling as it stands now. */
  request(): FindRequest;
}

interface Teardown {
  teardown(clean: () => void): void;
}

/** `user`, `etc` and `install` (with the shipped profiles) below a fresh directory; our own uid stands for root. */
export function makeWorld(test: Teardown): World {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'cofferdam-profile-')));
  test.teardown(() => rmSync(root, { recursive: true, force: true }));
  const paths: Paths = {
    hostConfig: join(root, 'etc/config.yaml'),
    config: join(root, 'user'),
    data: join(root, 'data'),
    state: join(root, 'state'),
    run: join(root, 'run'),
    imageStores: [],
    install: join(root, 'install'),
  };
  for (const folder of ['etc/profiles', 'user/profiles', 'install', 'cwd']) {
    mkdirSync(join(root, folder), { recursive: true, mode: 0o755 });
  }
  // A checkout under umask 002 has files that others may write to: that is what some tests are about, and no other.
  for (const folder of ['etc', 'etc/profiles']) chmodSync(join(root, folder), 0o755);
  cpSync(join(repository, 'profiles'), join(root, 'install/profiles'), { recursive: true });
  const write = (path: string, content: string | Uint8Array) => {
    const file = join(root, path);
    writeFileSync(file, content);
    chmodSync(file, 0o644);
    return file;
  };
  return {
    root,
    paths,
    write,
    profile: (name, content) => write(`user/profiles/${name}.yaml`, content),
    host: (content) => write('etc/config.yaml', content),
    request: () => ({ cwd: join(root, 'cwd'), paths, uid: self, ceiling: loadHostConfig(paths.hostConfig, self) }),
  };
}

/** Names of the fixtures of one kind, and their copies in the user's folder of `world`. */
export function copyFixtures(world: World, kind: 'good' | 'bad'): string[] {
  const folder = join(import.meta.dirname, 'fixtures', kind);
  return readdirSync(folder).map((entry) => {
    const file = join(world.paths.config, 'profiles', entry);
    cpSync(join(folder, entry), file);
    chmodSync(file, 0o644);
    return entry.replace(/\.yaml$/, '');
  });
}
