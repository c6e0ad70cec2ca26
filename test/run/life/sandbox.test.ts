// Owns what is kept of a sandbox: it is found by id, name and beginning, and never guessed.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { keptPlans } from '../../../lib/run/life/keptPlans.ts';
import { removeDamaged, sweepHalfMade } from '../../../lib/run/life/remove.ts';
import { findSandbox, listSandboxes, newSandboxId, readSandbox, sandboxFolder } from '../../../lib/run/life/sandbox.ts';
import { makeSandbox, setPaths } from './sandboxScene.ts';

const first = 's0123456789abcdef';
const second = 's0123456789000000';

test('a sandbox is found by its id, its name, and the beginning of its id', async (t) => {
  const paths = setPaths(t);
  const made = await makeSandbox(paths, { id: first, name: 'web' });
  for (const text of [first, 'web', 's0123456', 's012']) t.strictSame(findSandbox(paths, text), made, text);
});

test('refuses what names none, several, or too little, and says what is near', async (t) => {
  const paths = setPaths(t);
  await makeSandbox(paths, { id: first, name: 'web' });
  await makeSandbox(paths, { id: second, name: 'store' });
  const unknown = { code: 'SANDBOX_UNKNOWN' };
  t.throws(() => findSandbox(paths, 's0123456789'), { ...unknown, message: /begins 2 ids/ });
  for (const text of ['s01', '', 'x'.repeat(100_000), '../names/web', 'names', '\u001b[31m'])
    t.throws(() => findSandbox(paths, text), unknown, text.slice(0, 20));
  t.throws(() => findSandbox(paths, 'wbe'), { ...unknown, message: /did you mean "web"/ });
});

test('a name goes before the beginning of an id', async (t) => {
  const paths = setPaths(t);
  await makeSandbox(paths, { id: first, name: 'web' });
  const named = await makeSandbox(paths, { id: newSandboxId(), name: 's0123' });
  t.equal(findSandbox(paths, 's0123').id, named.id);
});

test('sandboxes are listed oldest first', async (t) => {
  const paths = setPaths(t);
  t.strictSame(listSandboxes(paths), { sandboxes: [], unreadable: [] });
  await makeSandbox(paths, { name: 'b', created: '2026-02-01T00:00:00.000Z' });
  await makeSandbox(paths, { name: 'a', created: '2026-01-01T00:00:00.000Z' });
  t.strictSame(
    listSandboxes(paths).sandboxes.map(({ name }) => name),
    ['a', 'b'],
  );
});

test('refuses a damaged sandbox.json, which keeps no plan and can be forced away', async (t) => {
  const paths = setPaths(t);
  await makeSandbox(paths, { id: first, name: 'web' });
  const file = join(sandboxFolder(paths, first), 'sandbox.json');
  for (const text of ['', '{', '{"version":0}', `{"version":1,"id":"${second}"}`]) {
    writeFileSync(file, text);
    t.throws(() => readSandbox(paths, first), { code: 'CONFIG_UNREADABLE' }, text);
    t.strictSame([...keptPlans(paths)], []);
  }
  const host = { paths } as Parameters<typeof removeDamaged>[1];
  t.equal(await removeDamaged('web', host), false, 'by its id alone');
  t.equal(await removeDamaged(first, host), true);
  t.equal(readSandbox(paths, first), undefined);
  t.equal(await removeDamaged(first, host), false);
});

test('refuses one of a newer version, which hides no other, keeps its plan and cannot be forced away', async (t) => {
  const paths = setPaths(t);
  const made = await makeSandbox(paths, { id: first, name: 'web' });
  const other = await makeSandbox(paths, { id: second, name: 'store' });
  const file = join(sandboxFolder(paths, first), 'sandbox.json');
  const text = JSON.stringify({
    ...made,
    version: 2,
    plan: { of: { another: `sha256:${'c'.repeat(64)}` } },
    colour: 'red',
  });
  writeFileSync(file, text);
  const newer = { code: 'SANDBOX_NEWER' };
  for (const word of [first, 'web', first.slice(0, 13)]) t.throws(() => findSandbox(paths, word), newer, word);
  t.throws(() => findSandbox(paths, 'stroe'), { code: 'SANDBOX_UNKNOWN', message: /did you mean "store"/ });
  const { sandboxes, unreadable } = listSandboxes(paths);
  t.strictSame(sandboxes, [other]);
  t.match(unreadable, [{ id: first, error: newer }]);
  t.ok(keptPlans(paths).has('c'.repeat(64)));
  const host = { paths } as Parameters<typeof removeDamaged>[1];
  t.equal(await removeDamaged(first, host), false);
  t.equal(sweepHalfMade(paths, Date.now() + 61_000), 0);
  t.equal(readFileSync(file, 'utf8'), text);
});

test('plans of sandboxes are kept', async (t) => {
  const paths = setPaths(t);
  await makeSandbox(paths, { name: 'web' });
  t.strictSame([...keptPlans(paths)], ['a'.repeat(64)]);
});

test('a folder whose making was killed goes after a minute, and no other', async (t) => {
  const paths = setPaths(t);
  await makeSandbox(paths, { id: first, name: 'web' });
  await makeSandbox(paths, { id: second, name: 'half' });
  rmSync(join(sandboxFolder(paths, second), 'sandbox.json'));
  t.equal(sweepHalfMade(paths, Date.now()), 0, 'it may be in the making');
  t.equal(sweepHalfMade(paths, Date.now() + 61_000), 1);
  t.strictSame(
    listSandboxes(paths).sandboxes.map(({ name }) => name),
    ['web'],
  );
});
