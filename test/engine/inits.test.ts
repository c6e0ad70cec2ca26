// Owns the proof that only an init of ours, first of its pid namespace and in the run's group, is taken for one.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { findInitInLeaf, isInit } from '../../lib/engine/inits.ts';

const run = { helpers: '/install/dist/native', id: 'r1', runDirectory: '/nonexistent', path: '/nonexistent' };

test('refuses every process that is not our init, and a pid that is nobody', async (t) => {
  t.notOk(isInit(process.pid));
  t.notOk(isInit(1), "the host's own");
  t.notOk(isInit(0x7fffffff));
});

test('nobody is found without a group, in one that is gone, and among others', async (t) => {
  const leaf = t.testdir();
  t.equal(findInitInLeaf({ ...run, leaves: [] }), undefined);
  t.equal(findInitInLeaf({ ...run, leaves: [join(leaf, 'gone')] }), undefined);
  writeFileSync(join(leaf, 'cgroup.procs'), `0\n1\n${process.pid}\n`);
  t.equal(findInitInLeaf({ ...run, leaves: [leaf] }), undefined);
});
