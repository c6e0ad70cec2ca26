// Tests who may use a folder beside whom, and that what a killed run wrote to is looked through later.
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';
import { claimFolder, conflicts, sweepClaims } from '../../lib/run/claims.ts';
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
  const first = claimFolder({ claims, source: '/p', mode: 'rw' });
  t.equal(await codeOf(() => claimFolder({ claims, source: '/p/sub', mode: 'ro' })), 'WORKSPACE_IN_USE');
  t.equal(readdirSync(claims).length, 1, 'the refused one leaves nothing');
  claimFolder({ claims, source: '/q', mode: 'rw' }).release();
  first.release();
  first.release();
  claimFolder({ claims, source: '/p/sub', mode: 'rw' }).release();
  t.same(readdirSync(claims), []);
});

const claim = JSON.stringify(join(import.meta.dirname, '../../lib/run/claims.ts'));
const guarded = JSON.stringify(join(import.meta.dirname, '../../lib/run/guarded.ts'));

// A process that claims, arms when told to, and ends without releasing.
function claimAndDie(claims: string, source: string, arm: boolean): void {
  const script = `import { claimFolder } from ${claim}; import { findGuarded } from ${guarded};
    const [claims, source, arm] = process.argv.slice(1);
    const held = claimFolder({ claims, source, mode: 'rw' });
    if (arm === 'true') held.arm((await findGuarded(source, new AbortController().signal)).marks);`;
  runToolSync(process.execPath, ['--input-type=module', '--eval', script, claims, source, String(arm)]);
}

test('a dead process that never started anything holds nothing', async (t) => {
  const root = makeFolder(t);
  const claims = join(root, 'claims');
  claimAndDie(claims, root, false);
  t.equal(readdirSync(claims).length, 1);
  claimFolder({ claims, source: root, mode: 'rw' }).release();
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
    t.equal(await codeOf(() => claimFolder({ claims, source, mode })), 'WORKSPACE_IN_USE');
  }
  const moved = await sweepClaims({ claims, destination, signal: never });
  t.same(
    moved.map(({ path }) => path),
    ['.envrc', '.git'],
  );
  t.equal(readFileSync(moved[0]?.kept ?? '', 'utf8'), 'evil');
  t.same((await findGuarded(source, never)).paths, ['.vscode']);
  claimFolder({ claims, source, mode: 'rw' }).release();
  t.same(await sweepClaims({ claims, destination, signal: never }), []);
});

test('a live claim is left alone, a folder that is gone is no failure, a damaged claim is', async (t) => {
  const root = makeFolder(t);
  const [claims, source] = [join(root, 'claims'), join(root, 'p')];
  const sweep = () => sweepClaims({ claims, destination: join(root, 'kept'), signal: never });
  writeTree(source, { a: '' });
  const held = claimFolder({ claims, source, mode: 'rw' });
  held.arm((await findGuarded(source, never)).marks);
  writeTree(source, { '.envrc': '' });
  t.same(await sweep(), []);
  t.ok(existsSync(join(source, '.envrc')));
  held.release();
  claimAndDie(claims, source, true);
  rmSync(source, { recursive: true });
  t.same(await sweep(), []);
  t.same(readdirSync(claims), []);
  writeFileSync(join(claims, 'x.claim'), '{}');
  t.equal(await codeOf(sweep), 'CONFIG_UNREADABLE');
});
