// Tests the folders of ours that are mounted into sandboxes: made whole when they are missing, and never taken from others.
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { ensureCovers } from '../../lib/run/covers.ts';
import { devOutline } from '../../lib/spec/dev.ts';
import { callerUid, codeOf, makeFolder, pathsBelow } from './hostileTree.ts';

export const needs = ['root'];

const makePaths = (t: Test) => pathsBelow(makeFolder(t));
const ensure = (paths: ReturnType<typeof makePaths>) => ensureCovers(paths, callerUid);

test('the outline of /dev holds empty files, links and one folder, for everybody to read', async (t) => {
  const before = process.umask(0o077);
  t.teardown(() => process.umask(before));
  const { dev } = ensure(makePaths(t));
  const { folders, files, links } = devOutline;
  t.same(readdirSync(dev).sort(), [...folders, ...files, ...Object.keys(links)].sort());
  t.equal(statSync(dev).mode & 0o7777, 0o755);
  for (const name of folders) t.equal(statSync(join(dev, name)).mode & 0o7777, 0o755, name);
  for (const name of files) {
    const { mode, size } = lstatSync(join(dev, name));
    t.same([mode & 0o7777, size], [0o444, 0], name);
  }
  for (const [name, target] of Object.entries(links)) t.equal(readlinkSync(join(dev, name)), target);
});

test('what is there already is taken as it is, and what is missing in it is made', async (t) => {
  const paths = makePaths(t);
  const first = ensure(paths);
  t.same(ensure(paths), first);
  rmSync(join(first.dev, 'null'));
  rmSync(join(first.dev, 'shm'));
  rmSync(join(first.sys, 'kernel'), { recursive: true });
  t.same(ensure(paths), first);
  t.same([readlinkSync(join(first.dev, 'shm')), statSync(join(first.dev, 'null')).size], ['/run/shm', 0]);
});

/** What somebody else may have done to the outline; each makes it another. */
const faults: Readonly<Record<string, (dev: string) => void>> = {
  'holds one file more': (dev) => writeFileSync(join(dev, 'kmsg'), ''),
  'holds one in its folder': (dev) => writeFileSync(join(dev, 'pts/0'), ''),
  'has a file with content': (dev) => {
    chmodSync(join(dev, 'null'), 0o600);
    writeFileSync(join(dev, 'null'), 'x');
  },
  'has a link that leads elsewhere': (dev) => {
    rmSync(join(dev, 'shm'));
    symlinkSync('/workspace', join(dev, 'shm'));
  },
  'has a folder in the place of a file': (dev) => {
    rmSync(join(dev, 'tty'));
    mkdirSync(join(dev, 'tty'));
  },
  'has a link in the place of a folder': (dev) => {
    renameSync(join(dev, 'pts'), `${dev}.pts`);
    symlinkSync(`${dev}.pts`, join(dev, 'pts'));
  },
  "has a file that is another's": (dev) => chownSync(join(dev, 'zero'), 1000, 1000),
  "has a link that is another's": (dev) => lchownSync(join(dev, 'fd'), 1000, 1000),
  "is another's": (dev) => chownSync(dev, 1000, 1000),
  'is a link': (dev) => {
    renameSync(dev, `${dev}.real`);
    symlinkSync(`${dev}.real`, dev);
  },
};

for (const [name, spoil] of Object.entries(faults)) {
  test(`refuses an outline that ${name}`, async (t) => {
    const paths = makePaths(t);
    spoil(ensure(paths).dev);
    t.equal(await codeOf(() => ensure(paths)), 'HOST_UNPREPARED');
  });

  test(`root's outline is not taken when it ${name}`, async (t) => {
    const root = makePaths(t);
    const shared = ensure(root);
    const mine = { ...makePaths(t), imageStores: root.imageStores };
    t.same(ensure(mine), shared, 'control: as root made it, it is taken');
    spoil(shared.dev);
    const found = ensure(mine);
    t.equal(found.dev, join(mine.data, shared.dev.slice(root.data.length + 1)));
    t.equal(found.sys, shared.sys);
  });
}
