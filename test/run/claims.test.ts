// Tests who may use a folder beside whom, and that what a killed run wrote to is looked through later.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { readSetAside, sweepClaims } from '../../lib/run/claimSweep.ts';
import { claimFolder, conflicts } from '../../lib/run/claims.ts';
import { findGuarded } from '../../lib/run/guarded.ts';
import { codeOf, makeFolder, never, writeTree } from './hostileTree.ts';

type Mode = 'ro' | 'rw' | 'copy';

test('a folder that a guest writes to is used by nobody who names places below it', (t) => {
  const both = (one: [string, Mode], other: [string, Mode]) => {
    const [a, b] = [one, other].map(([source, mode]) => ({ source, mode }));
    if (a === undefined || b === undefined) throw new Error('two are compared');
    t.equal(conflicts(a, b), conflicts(b, a), 'whoever comes first');
    return conflicts(a, b);
  };
  for (const mode of ['ro', 'rw', 'copy'] as const) t.ok(both(['/p', 'rw'], ['/p/sub', mode]), `below, ${mode}`);
  for (const at of ['/p', '/']) {
    t.notOk(both(['/p', 'rw'], [at, 'ro']), `${at}, ro`);
    t.ok(both(['/p', 'rw'], [at, 'copy']), `${at}, copy`);
    t.ok(both(['/p', 'rw'], [at, 'rw']), `${at}, rw`);
  }
  t.notOk(both(['/p', 'rw'], ['/p2', 'rw']));
  t.notOk(both(['/p', 'copy'], ['/p', 'copy']));
  t.notOk(both(['/p', 'ro'], ['/p/sub', 'copy']));
  t.end();
});

test('refuses a second writer until the first has released the folder', async (t) => {
  const claims = join(makeFolder(t), 'claims');
  const first = claimFolder({ claims, records: claims, source: '/p', mode: 'rw' });
  t.equal(
    await codeOf(() => claimFolder({ claims, records: claims, source: '/p/sub', mode: 'ro' })),
    'WORKSPACE_IN_USE',
  );
  t.equal(readdirSync(claims).length, 1, 'the refused one leaves nothing');
  claimFolder({ claims, records: claims, source: '/q', mode: 'rw' }).release();
  first.release();
  first.release();
  claimFolder({ claims, records: claims, source: '/p/sub', mode: 'rw' }).release();
  t.same(readdirSync(claims), []);
});

const claim = JSON.stringify(join(import.meta.dirname, '../../lib/run/claims.ts'));
const guarded = JSON.stringify(join(import.meta.dirname, '../../lib/run/guarded.ts'));

// A process that claims, arms when told to, and ends without releasing.
function claimAndDie(claims: string, source: string, arm: boolean): void {
  const script = `import { claimFolder } from ${claim}; import { findGuarded } from ${guarded};
    const [claims, source, arm] = process.argv.slice(1);
    const held = claimFolder({ claims, records: claims, source, mode: 'rw' });
    if (arm === 'true') held.arm((await findGuarded(source, new AbortController().signal)).marks, 'r1');`;
  runToolSync(process.execPath, ['--input-type=module', '--eval', script, claims, source, String(arm)]);
}

test('a dead process that never started anything holds nothing', async (t) => {
  const root = makeFolder(t);
  const claims = join(root, 'claims');
  claimAndDie(claims, root, false);
  t.equal(readdirSync(claims).length, 1);
  claimFolder({ claims, records: claims, source: root, mode: 'rw' }).release();
  t.same(readdirSync(claims), []);
});

test('what a killed run wrote to is refused until it was looked through', async (t) => {
  const root = makeFolder(t);
  const [claims, source, destination] = [join(root, 'claims'), join(root, 'p'), join(root, 'kept')];
  writeTree(source, { '.git/HEAD': 'x', '.git/config': 'mine', '.vscode/settings.json': '{}' });
  claimAndDie(claims, source, true);
  writeTree(source, { '.envrc': 'evil' });
  renameSync(join(source, '.git'), join(source, 'moved'));
  symlinkSync('/etc', join(source, '.git'));
  for (const mode of ['rw', 'copy'] as const) {
    t.equal(await codeOf(() => claimFolder({ claims, records: claims, source, mode })), 'WORKSPACE_IN_USE');
  }
  const sweep = () => sweepClaims({ claims, records: claims, destination, quarantine: undefined });
  const moved = (await sweep()).setAside;
  t.same(
    moved.map(({ path }) => path),
    ['.envrc', '.git'],
  );
  t.equal(readFileSync(moved[0]?.kept ?? '', 'utf8'), 'evil');
  t.same((await findGuarded(source, never)).paths, ['.vscode']);
  claimFolder({ claims, records: claims, source, mode: 'rw' }).release();
  t.same((await sweep()).setAside, []);
});

test('what a process had taken out of its place when it was killed is set aside, too', async (t) => {
  const root = makeFolder(t);
  const [claims, source, destination] = [join(root, 'claims'), join(root, 'p'), join(root, 'kept')];
  writeTree(source, { a: '' });
  claimAndDie(claims, source, true);
  writeTree(source, { '.cofferdam-set-aside-77/hooks/x': 'evil', 'sub/.cofferdam-set-aside-x': '' });
  const { setAside } = await sweepClaims({ claims, records: claims, destination, quarantine: undefined });
  t.match(setAside, [{ path: '.cofferdam-set-aside-77' }]);
  t.equal(readFileSync(join(setAside[0]?.kept ?? '', 'hooks/x'), 'utf8'), 'evil');
  t.same(readdirSync(source).sort(), ['a', 'sub']);
});

test('a claim that was handed over stands while its run has a record, and then until somebody looked', async (t) => {
  const root = makeFolder(t);
  const [claims, records, source] = [join(root, 'claims'), join(root, 'records'), join(root, 'p')];
  writeTree(source, { a: '' });
  mkdirSync(records);
  writeFileSync(join(records, 's1-1'), '');
  const request = { claims, records, destination: join(root, 'kept'), quarantine: undefined };
  const held = claimFolder({ claims, records, source, mode: 'rw' });
  held.arm((await findGuarded(source, never)).marks, 's1-1');
  held.handOver();
  held.release();
  writeTree(source, { '.envrc': 'evil' });
  t.same((await sweepClaims(request)).setAside, [], 'its run may still write');
  t.ok(existsSync(join(source, '.envrc')));
  t.equal(await codeOf(() => claimFolder({ claims, records, source, mode: 'rw' })), 'WORKSPACE_IN_USE');
  rmSync(join(records, 's1-1'));
  t.equal(await codeOf(() => claimFolder({ claims, records, source, mode: 'rw' })), 'WORKSPACE_IN_USE');
  const both = await Promise.all([sweepClaims(request), sweepClaims(request)]);
  t.equal(both.flatMap(({ setAside }) => setAside).length, 1, 'of two at once one finds it');
  t.match(readSetAside(request.destination, 's1-1'), [{ path: '.envrc' }]);
  claimFolder({ claims, records, source, mode: 'rw' }).release();
});

test('a live claim is left alone, and a folder that is gone is no failure', async (t) => {
  const root = makeFolder(t);
  const [claims, source] = [join(root, 'claims'), join(root, 'p')];
  const sweep = () =>
    sweepClaims({ claims, records: claims, destination: join(root, 'kept'), quarantine: join(root, 'q') });
  const nothing = { setAside: [], stuck: [], quarantined: [] };
  writeTree(source, { a: '' });
  const held = claimFolder({ claims, records: claims, source, mode: 'rw' });
  held.arm((await findGuarded(source, never)).marks, 'r1');
  writeTree(source, { '.envrc': '' });
  t.same(await sweep(), nothing);
  t.ok(existsSync(join(source, '.envrc')));
  held.release();
  claimAndDie(claims, source, true);
  rmSync(source, { recursive: true });
  t.same(await sweep(), nothing);
  t.same(readdirSync(claims), []);
});

test('refuses every folder while a claim is damaged, until gc has set it aside and said what it may stand for', async (t) => {
  const root = makeFolder(t);
  const [claims, source, quarantine] = [join(root, 'claims'), join(root, 'p'), join(root, 'q')];
  const damaged: Readonly<Record<string, (file: string) => void>> = {
    empty: (file) => writeFileSync(file, ''),
    'no JSON': (file) => writeFileSync(file, '{"source":"/p","mode":"rw"'),
    'of a later version': (file) => writeFileSync(file, '{"version":2,"source":"/p"}'),
    'a link to a claim that is whole': (file) => symlinkSync(join(root, 'whole'), file),
    'a folder': (file) => mkdirSync(file),
    'a fifo': (file) => void runToolSync('mkfifo', [file]),
  };
  writeTree(source, { a: '' });
  writeFileSync(join(root, 'whole'), JSON.stringify({ source, mode: 'ro', pid: 1, started: '1', boot: 'x' }));
  for (const [name, make] of Object.entries(damaged)) {
    claimFolder({ claims, records: claims, source, mode: 'rw' }).release();
    make(join(claims, 'x.claim'));
    t.equal(await codeOf(() => claimFolder({ claims, records: claims, source, mode: 'ro' })), 'WORKSPACE_IN_USE', name);
    const request = { claims, records: claims, destination: join(root, 'kept') };
    t.same((await sweepClaims({ ...request, quarantine: undefined })).quarantined, [], 'not on the way of a run');
    const { quarantined, stuck } = await sweepClaims({ ...request, quarantine });
    t.match(quarantined, [{ file: join(claims, 'x.claim'), why: /never have been looked through/ }], name);
    t.same(stuck, []);
    t.same(readdirSync(claims), []);
    t.ok(lstatSync(quarantined[0]?.kept ?? ''), 'it is kept as it was');
  }
  t.ok(existsSync(join(root, 'whole')));
});

test('a folder that cannot be looked through stays refused and keeps no other from it', async (t) => {
  const root = makeFolder(t);
  const [claims, source, other] = [join(root, 'claims'), join(root, 'p'), join(root, 'q')];
  for (const folder of [source, other]) {
    writeTree(folder, { a: '' });
    claimAndDie(claims, folder, true);
    writeTree(folder, { '.envrc': 'evil' });
  }
  // What is set aside cannot go where a file stands.
  const kept = join(root, 'kept');
  writeFileSync(kept, '');
  const request = { claims, records: claims, destination: kept, quarantine: undefined };
  t.equal((await sweepClaims(request)).stuck.length, 2);
  t.equal(await codeOf(() => claimFolder({ claims, records: claims, source, mode: 'rw' })), 'WORKSPACE_IN_USE');
  rmSync(kept);
  t.equal((await sweepClaims(request)).setAside.length, 2);
  claimFolder({ claims, records: claims, source, mode: 'rw' }).release();
});
