// Tests what gc frees beside the runs themselves: copies, half-written files, markers; and what it tells and leaves.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Test, test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import type { Paths } from '../../lib/base/paths.ts';
import { makeTemporary } from '../../lib/base/temporary.ts';
import { findCopy, makeCopy } from '../../lib/run/copy.ts';
import { ensureRunFolders, type RunFolders } from '../../lib/run/folders.ts';
import { freeLeftovers, type Leftovers } from '../../lib/run/leftovers.ts';
import { awaitRun } from '../../lib/run/receipt/awaited.ts';
import { callerUid, codeOf, ids, makeFolder, never, pathsBelow, writeTree } from './hostileTree.ts';
import { deadLine, liveLine } from './reap-scene.ts';

export const needs = ['flock (util-linux)'];

interface Scene {
  readonly root: string;
  readonly paths: Paths;
  readonly folders: RunFolders;
  gc(thorough?: boolean): Promise<Leftovers>;
}

function makeScene(t: Test): Scene {
  const root = makeFolder(t);
  const paths = pathsBelow(root);
  const folders = ensureRunFolders(paths, callerUid);
  // A minute on: what is being written now is not any more.
  const gc = (thorough = true) =>
    freeLeftovers({ paths, uid: callerUid, version: '0' }, { cgroups: undefined, now: Date.now() + 61_000, thorough });
  return { root, paths, folders, gc };
}

const nothing = { freed: [], stuck: [], quarantined: [], slots: 0, setAside: [], copies: [], halves: [] };

async function addCopy({ root, folders }: Scene, id: string): Promise<string> {
  const source = join(root, `source-${id}`);
  writeTree(source, { a: 'x' });
  await makeCopy({ source, id, copies: folders.copies, ids, floor: 0, now: 1, signal: never });
  return source;
}

test('there is nothing to free, in folders that exist and in none', async (t) => {
  const scene = makeScene(t);
  t.same(await scene.gc(), nothing);
  runToolSync('rm', ['-rf', scene.paths.run, scene.paths.state, scene.paths.data]);
  t.same(await scene.gc(), nothing);
});

test('a copy that a dead process was making is removed, one that is being made and a whole one are left', async (t) => {
  const scene = makeScene(t);
  await addCopy(scene, 'whole');
  for (const id of ['half', 'making'])
    writeTree(join(scene.folders.copies, id), { 'a/x': '', 'meta.json.0123456789ab.new': '{' });
  chmodSync(join(scene.folders.copies, 'half', 'a'), 0);
  const awaited = awaitRun(scene.folders.awaited, 'making');
  t.match(await scene.gc(false), { copies: ['half'], stuck: [] });
  t.same(readdirSync(scene.folders.copies).sort(), ['making', 'whole']);
  awaited.release();
  t.match(await scene.gc(false), { copies: ['making'] });
  t.equal(findCopy(scene.folders.copies, 'whole').id, 'whole');
});

const damages: Readonly<Record<string, (file: string, text: string) => void>> = {
  empty: (file) => writeFileSync(file, ''),
  cut: (file, text) => writeFileSync(file, text.slice(0, -4)),
  'of another copy': (file, text) => writeFileSync(file, text.replace('"id":"x"', '"id":"y"')),
  'of a later version': (file, text) => writeFileSync(file, text.replace('{', '{"version":2,')),
  giant: (file) => void runToolSync('truncate', ['--size', '8G', file]),
  'a folder': (file) => {
    runToolSync('rm', [file]);
    mkdirSync(file);
  },
  'read through a link': (file) => {
    const folder = dirname(file);
    renameSync(folder, `${dirname(dirname(folder))}/elsewhere`);
    symlinkSync(`${dirname(dirname(folder))}/elsewhere`, folder);
  },
  'a fifo': (file) => {
    runToolSync('rm', [file]);
    runToolSync('mkfifo', [file]);
  },
};

for (const [name, damage] of Object.entries(damages)) {
  test(`a copy whose meta.json is ${name} is set aside whole, and the others are as they were`, async (t) => {
    const scene = makeScene(t);
    await addCopy(scene, 'x');
    await addCopy(scene, 'y');
    const meta = join(scene.folders.copies, 'x', 'meta.json');
    damage(meta, readFileSync(meta, 'utf8'));
    t.equal(await codeOf(() => findCopy(scene.folders.copies, 'x')), 'CONFIG_UNREADABLE');
    t.match(await scene.gc(false), nothing, 'the way of a run does not look at it');
    const { quarantined, stuck } = await scene.gc();
    t.match(quarantined, [{ file: join(scene.folders.copies, 'x') }]);
    t.same(stuck, []);
    t.equal(readFileSync(join(quarantined[0]?.kept ?? '', 'b', 'a'), 'utf8'), 'x', 'with what the run made');
    t.same(readdirSync(scene.folders.copies), ['y']);
    t.same(await scene.gc(), nothing);
  });
}

test('a file among the copies keeps nothing from being freed', async (t) => {
  const scene = makeScene(t);
  writeFileSync(join(scene.folders.copies, 'x'), '');
  writeFileSync(join(scene.folders.copies, 'not an id'), '');
  t.match(await scene.gc(), { stuck: [] });
});

test('an interrupted apply is told with the folder that holds what was there', async (t) => {
  const scene = makeScene(t);
  const source = await addCopy(scene, 'x');
  writeTree(source, { '.cofferdam-apply-x/old-0': 'mine' });
  const { stuck } = await scene.gc();
  t.match(stuck, [{ id: 'x', why: /\.cofferdam-apply-x holds what was there/ }]);
  const { base } = findCopy(scene.folders.copies, 'x');
  t.match(stuck[0]?.why, `diff -r ${base} ${source}`, 'and with what to do');
  t.match(stuck[0]?.why, /sandbox apply --discard x$/);
  t.equal(readFileSync(join(source, '.cofferdam-apply-x', 'old-0'), 'utf8'), 'mine', 'it is a person’s to decide');
});

test('half-written files of ours are removed when nobody can be writing them any more', async (t) => {
  const scene = makeScene(t);
  const { paths, folders } = scene;
  await addCopy(scene, 'x');
  const [claims, digest] = [join(paths.state, 'claims'), 'a'.repeat(64)];
  const halves = [
    join(claims, '0011223344556677.claim.0123456789ab.new'),
    join(folders.index, 'default++++.0123456789ab.new'),
    join(folders.copies, 'x', 'meta.json.0123456789ab.new'),
    join(paths.data, 'init', 'tini-0123.77.new'),
    join(folders.plans, `${digest}.77.new`, 'launch'),
  ];
  const kept = [join(folders.plans, digest, 'launch'), join(folders.index, 'new'), join(claims, 'other.new')];
  for (const file of [...halves, ...kept]) writeTree('/', { [file]: '' });
  chmodSync(join(folders.plans, `${digest}.77.new`), 0o500);
  // A link under such a name goes itself.
  symlinkSync(paths.data, join(folders.index, 'link.0123456789ab.new'));
  const early = { cgroups: undefined, now: Date.now(), thorough: true };
  t.match(await freeLeftovers({ paths, uid: callerUid, version: '0' }, early), { halves: [] });
  t.equal((await scene.gc()).halves.length, halves.length + 1);
  t.notOk(halves.some((file) => existsSync(file)));
  t.ok(kept.every((file) => existsSync(file)));
});

test('a folder for the time of a process goes when the process has gone, another user’s never', async (t) => {
  const scene = makeScene(t);
  const own = makeTemporary(tmpdir(), 'test');
  const dead = join(tmpdir(), `cofferdam-tmp-test-${process.pid}-1-abcDEF`);
  const foreign = join(tmpdir(), `cofferdam-tmp-test-${process.pid}-1-foreig`);
  t.teardown(() => void runToolSync('rm', ['-rf', own, dead, foreign]));
  for (const folder of [dead, foreign]) writeTree(folder, { a: '' });
  runToolSync('chown', ['-h', '1000', foreign]);
  const { halves } = await scene.gc();
  t.ok(halves.includes(dead));
  t.notOk(existsSync(dead));
  t.ok(existsSync(own));
  t.ok(existsSync(foreign));
});

test('markers of dead processes go, and a run whose launcher was killed has a receipt afterwards', async (t) => {
  const scene = makeScene(t);
  writeFileSync(join(scene.folders.awaited, 'x'), deadLine('x'));
  writeFileSync(join(scene.folders.awaited, 'y'), liveLine('y'));
  writeFileSync(join(scene.folders.records, 'x'), deadLine('x'));
  utimesSync(join(scene.folders.records, 'x'), 1, 1);
  t.match(await scene.gc(false), { freed: ['x'] });
  t.same(readdirSync(scene.folders.awaited), ['y']);
  t.ok(existsSync(join(scene.paths.state, 'receipts')));
});
