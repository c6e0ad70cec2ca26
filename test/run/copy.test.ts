// Tests copies of workspaces: made whole or not at all, handed to the sandbox's id, taken back without rights.
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { copyOwner, findCopy, listCopies, makeCopy, markApplied, removeCopy, settleCopy } from '../../lib/run/copy.ts';
import { countSlots, slotIds } from '../../lib/spec/uidmap.ts';
import { codeOf, ids, makeFolder, never, writeTree } from './hostileTree.ts';

export const needs = ['root'];

function scene(t: Parameters<typeof makeFolder>[0]) {
  const root = makeFolder(t);
  const copies = join(root, 'copies');
  const source = join(root, 'project');
  mkdirSync(copies, { mode: 0o711 });
  mkdirSync(source);
  const make = (id = 'run1', more: Partial<Parameters<typeof makeCopy>[0]> = {}) =>
    makeCopy({ source, id, copies, ids, floor: 0, now: 1_000, signal: never, ...more });
  return { root, copies, source, make };
}

test('a copy is whole, apart from the original, and belongs to the id that the program has', async (t) => {
  const { source, make } = scene(t);
  writeTree(source, { 'a/b.txt': 'text', '.git/HEAD': 'x', 'sub/.git/config': 'x', 'ro/x': 'x' });
  symlinkSync('/etc/passwd', join(source, 'link'));
  writeFileSync(join(source, 'setid'), '');
  chmodSync(join(source, 'setid'), 0o6755);
  chmodSync(join(source, 'ro'), 0o555);
  const copy = await make();
  const owner = copyOwner(ids);
  t.ok(owner.kind === 'owner' && owner.uid === 231_072 + 65_535);
  const found = statSync(join(copy.work, 'a/b.txt'));
  t.same([found.uid, found.gid], owner.kind === 'owner' ? [owner.uid, owner.gid] : []);
  t.equal(readlinkSync(join(copy.work, 'link')), '/etc/passwd');
  t.equal(lstatSync('/etc/passwd').uid, 0, 'the link was handed over, not what it points at');
  t.ok(existsSync(join(copy.work, '.git/HEAD')), 'git works inside');
  t.notOk(existsSync(join(copy.base, '.git')));
  t.notOk(existsSync(join(copy.base, 'sub/.git')));
  t.equal(statSync(join(copy.work, 'setid')).mode & 0o6000, 0);
  t.equal(statSync(copy.folder).mode & 0o777, 0o711, 'root inside is a subordinate id and passes here');
  t.equal(statSync(copy.base).mode & 0o777, 0o700, 'and not here');
  writeFileSync(join(copy.work, 'a/b.txt'), 'changed');
  t.equal(readFileSync(join(source, 'a/b.txt'), 'utf8'), 'text');
  t.equal(readFileSync(join(copy.base, 'a/b.txt'), 'utf8'), 'text');
});

test('no slot of a live sandbox has the id of a copy', (t) => {
  const owner = copyOwner(ids);
  const last = slotIds(ids, countSlots(ids) - 1);
  t.ok(owner.kind === 'owner' && Math.max(last.rootUid, last.programUid) < owner.uid);
  t.ok(owner.kind === 'owner' && Math.max(last.rootGid, last.programGid) < owner.gid);
  const plain = copyOwner({ ...ids, callerUid: 1000, callerGid: 1001 });
  t.same(plain, { kind: 'owner', uid: 1000, gid: 1001 });
  t.end();
});

test('after the run everything is the caller’s, readable, and without set-id bits', async (t) => {
  const { source, make } = scene(t);
  writeTree(source, { a: 'x' });
  const copy = await make();
  writeTree(copy.work, { 'hidden/deep/x': 'x', tool: 'x' });
  chmodSync(join(copy.work, 'tool'), 0o6777);
  chmodSync(join(copy.work, 'hidden/deep'), 0);
  chmodSync(join(copy.work, 'hidden'), 0o1000);
  chmodSync(join(copy.work, 'a'), 0);
  symlinkSync('/etc/shadow', join(copy.work, 'link'));
  lchownSync(join(copy.work, 'link'), 231_080, 231_080);
  const shadow = lstatSync('/etc/shadow');
  await settleCopy(copy, ids, never);
  for (const path of ['a', 'tool', 'hidden/deep/x', 'link']) t.equal(lstatSync(join(copy.work, path)).uid, 0, path);
  t.equal(statSync(join(copy.work, 'tool')).mode & 0o6000, 0);
  t.equal(statSync(join(copy.work, 'hidden/deep')).mode & 0o700, 0o700);
  t.equal(statSync(join(copy.work, 'a')).mode & 0o400, 0o400);
  t.same([lstatSync('/etc/shadow').gid, lstatSync('/etc/shadow').mode], [shadow.gid, shadow.mode]);
});

test('refuses a copy that the disk has no room for, and leaves nothing', async (t) => {
  const { source, copies, make } = scene(t);
  writeTree(source, { a: 'x' });
  t.equal(await codeOf(() => make('big', { floor: Number.MAX_SAFE_INTEGER })), 'DISK_FULL');
  t.same(readdirSync(copies), []);
});

test('a disk that fills up while copying leaves nothing', (t) => {
  const { source, copies } = scene(t);
  writeFileSync(join(source, 'a'), 'x'.repeat(1 << 20));
  const module = JSON.stringify(join(import.meta.dirname, '../../lib/run/copy.ts'));
  // du counts 1 MiB; tmpfs has 1.5 MiB, so that checkSpace would refuse it: statfs is asked of the folder below.
  const script = `import { makeCopy } from ${module};
    const ids = ${JSON.stringify(ids)};
    const request = { source: process.argv[1], id: 'full', copies: process.argv[2], ids, floor: -(1 << 30), now: 1, signal: new AbortController().signal };
    await makeCopy(request).then(() => console.log('taken'), (error) => console.log(error.code));`;
  const shell =
    'mount -t tmpfs -o size=1536k tmpfs "$2" && "$3" --input-type=module --eval "$4" "$1" "$2" && ls -A "$2"';
  const args = [
    '--mount',
    '--propagation',
    'private',
    'sh',
    '-c',
    shell,
    'x',
    source,
    copies,
    process.execPath,
    script,
  ];
  t.equal(runToolSync('unshare', args).stdout, 'DISK_FULL\n');
  t.end();
});

test('refuses a second copy for one id, and one that was cancelled leaves nothing', async (t) => {
  const { source, copies, make } = scene(t);
  writeTree(source, { a: 'x' });
  await make('one');
  t.equal(await codeOf(() => make('one')), 'ID_IN_USE');
  t.equal(await codeOf(() => make('a b')), 'ID_INVALID');
  t.ok(existsSync(join(copies, 'one/b/a')), 'the first one stays');
  t.not(await codeOf(() => make('two', { signal: AbortSignal.abort() })), 'none');
  t.same(readdirSync(copies), ['one']);
});

test('copies are listed by age, found by id, marked and removed whatever their modes', async (t) => {
  const { source, copies, make } = scene(t);
  writeTree(source, { a: 'x' });
  await make('young', { now: 2_000 });
  const old = await make('old', { now: 1_000 });
  mkdirSync(join(copies, 'half-made'));
  t.same(
    listCopies(copies).map(({ id }) => id),
    ['old', 'young'],
  );
  markApplied(old, 5_000);
  t.equal(findCopy(copies, 'old').appliedMs, 5_000);
  t.equal(await codeOf(() => findCopy(copies, 'none')), 'RUN_UNKNOWN');
  t.equal(await codeOf(() => findCopy(copies, '../old')), 'ID_INVALID');
  mkdirSync(join(old.work, 'closed/x'), { recursive: true });
  chmodSync(join(old.work, 'closed'), 0);
  await removeCopy(old, never);
  t.notOk(existsSync(old.folder));
  writeFileSync(join(copies, 'young/meta.json'), '{"id":"young"}');
  t.equal(await codeOf(() => findCopy(copies, 'young')), 'CONFIG_UNREADABLE');
  t.same(listCopies(join(copies, 'nowhere')), []);
});
