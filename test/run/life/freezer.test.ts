// Owns the promises of the freezer: which file is written, what counts as frozen, and that nothing is paused without one.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import type { CofferdamError } from '../../../lib/base/errors.ts';
import { freeze, isFrozen, thaw } from '../../../lib/run/life/freezer.ts';
import { makeLeaves } from './leaves.ts';

test('freezes and thaws on v1 by the controller of that name', async (t) => {
  const { sandbox, folder, write } = makeLeaves(t, 1, [['freezer'], ['memory']]);
  write('freezer', 'freezer.state', 'THAWED\n');
  t.equal(isFrozen(sandbox), false);
  await freeze(sandbox);
  t.equal(readFileSync(join(folder, 'freezer/s1-1/freezer.state'), 'utf8').slice(0, 6), 'FROZEN');
  t.equal(isFrozen(sandbox), true);
  thaw(sandbox);
  t.equal(isFrozen(sandbox), false);
  write('freezer', 'freezer.state', 'FREEZING\n');
  t.equal(isFrozen(sandbox), true, 'on its way counts');
});

test('freezes on v2 by a file of the leaf, and waits for the event', async (t) => {
  const { sandbox, folder, write } = makeLeaves(t, 2, [['memory', 'pids', 'cpu']]);
  write('memory,pids,cpu', 'cgroup.freeze', '0\n');
  write('memory,pids,cpu', 'cgroup.events', 'populated 1\nfrozen 1\n');
  await freeze(sandbox);
  t.equal(readFileSync(join(folder, 'memory,pids,cpu/s1-1/cgroup.freeze'), 'utf8').slice(0, 1), '1');
  t.equal(isFrozen(sandbox), true);
  thaw(sandbox);
  t.equal(isFrozen(sandbox), false);
});

test('refuses to pause without a freezer, naming setup', async (t) => {
  const { sandbox } = makeLeaves(t, 1, [['memory'], ['pids']]);
  t.equal(isFrozen(sandbox), false);
  await t.rejects(freeze(sandbox), { code: 'HOST_UNPREPARED', remedy: /sandbox setup/ });
  t.doesNotThrow(() => thaw(sandbox));
});

test('refuses to pause a run whose group is gone', async (t) => {
  const { sandbox, folder } = makeLeaves(t, 1, [['freezer']]);
  rmSync(join(folder, 'freezer/s1-1'), { recursive: true });
  await t.rejects(freeze(sandbox), { code: 'SANDBOX_STATE' } satisfies Partial<CofferdamError>);
  t.equal(isFrozen(sandbox), false);
  t.doesNotThrow(() => thaw(sandbox));
});
