// Owns names of sandboxes: one owner each, and what a kill left behind does not hold one for ever.
import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { checkName, claimName, releaseName } from '../../../lib/run/life/names.ts';
import { namesFolder, newSandboxId, sandboxNamePattern } from '../../../lib/run/life/sandbox.ts';
import { makeSandbox, setPaths } from './sandboxScene.ts';

test('refuses names that are none, climb, or read as an id', async (t) => {
  for (const name of ['', 'A', '-a', '.', '..', 'a/b', '../a', 'a b', 'a\n', 'ü', 'a'.repeat(64), 's0123456789abcdef'])
    t.throws(() => checkName(name), { code: 'SANDBOX_NAME' }, JSON.stringify(name));
  for (const name of ['a', '0', 'web-1', 'a.b_c', 'a'.repeat(63), 's0123']) t.equal(checkName(name), name);
});

test('of those who want one name exactly one gets it', async (t) => {
  const paths = setPaths(t);
  const past = Date.now() / 1000 - 3600;
  for (const stale of [false, true]) {
    const name = stale ? 'left' : 'web';
    if (stale) {
      await claimName(paths, name, newSandboxId());
      utimesSync(join(namesFolder(paths), name), past, past);
    }
    const all = await Promise.allSettled([1, 2, 3, 4].map(() => claimName(paths, name, newSandboxId())));
    t.equal(all.filter(({ status }) => status === 'fulfilled').length, 1, name);
    for (const one of all) if (one.status === 'rejected') t.match(one.reason, { code: 'SANDBOX_NAME' });
  }
});

test('a name without a sandbox is free after a minute, that of a sandbox never', async (t) => {
  const paths = setPaths(t);
  const past = Date.now() / 1000 - 3600;
  await claimName(paths, 'left', newSandboxId());
  utimesSync(join(namesFolder(paths), 'left'), past, past);
  t.equal(await claimName(paths, 'left', newSandboxId()), 'left');
  writeFileSync(join(namesFolder(paths), 'empty'), '');
  utimesSync(join(namesFolder(paths), 'empty'), past, past);
  t.equal(await claimName(paths, 'empty', newSandboxId()), 'empty');
  await makeSandbox(paths, { name: 'kept' });
  utimesSync(join(namesFolder(paths), 'kept'), past, past);
  await t.rejects(claimName(paths, 'kept', newSandboxId()), { code: 'SANDBOX_NAME' });
});

test('a name is given back by its own sandbox alone', async (t) => {
  const paths = setPaths(t);
  const { id } = await makeSandbox(paths, { name: 'web' });
  releaseName(paths, 'web', newSandboxId());
  t.ok(existsSync(join(namesFolder(paths), 'web')));
  releaseName(paths, 'web', id);
  t.notOk(existsSync(join(namesFolder(paths), 'web')));
});

test('names that we choose are valid and differ', async (t) => {
  const paths = setPaths(t);
  const names: string[] = [];
  for (let i = 0; i < 200; i++) names.push(await claimName(paths, undefined, newSandboxId()));
  t.equal(new Set(names).size, 200);
  t.ok(names.every((name) => sandboxNamePattern.test(name)));
});
