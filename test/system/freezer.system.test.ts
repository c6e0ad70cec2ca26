// Owns the proof that the freezer of cgroup v2 stops and lets go for real; hosts with v1 mount a v2 hierarchy beside it.
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { parseCgroupMounts } from '../../lib/engine/cgroup.ts';
import { freeze, isFrozen, thaw } from '../../lib/run/life/freezer.ts';
import { sceneOf, until } from './scene.ts';

// Root makes the group; also a test's own need.
sceneOf('root');

test('a group of cgroup v2 is frozen, takes no signal, and is thawed', async (t) => {
  const { v2 } = parseCgroupMounts(readFileSync('/proc/self/mountinfo', 'utf8'));
  if (v2 === undefined) throw new Error('no cgroup2 is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified');
  const parent = join(v2, `cofferdam-test-${process.pid}`);
  const leaf = join(parent, 's1-1');
  mkdirSync(leaf, { recursive: true });
  const child = spawn('/bin/sh', ['-c', 'trap "echo term; exit 0" TERM; while :; do echo beat; sleep 0.05; done']);
  const ended = new Promise((done) => child.on('close', done));
  t.teardown(async () => {
    thaw(sandbox);
    child.kill('SIGKILL');
    await ended;
    await until(() => {
      try {
        rmdirSync(leaf);
        return true;
      } catch {
        return false;
      }
    });
    rmdirSync(parent);
  });
  const sandbox = {
    name: 'work',
    run: 's1-1',
    cgroups: { version: 2 as const, folders: [{ controllers: ['memory' as const], path: parent }] },
  };
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  writeFileSync(join(leaf, 'cgroup.procs'), String(child.pid));
  t.ok(await until(() => said.length > 20), 'the control: it beats');
  await freeze(sandbox);
  t.equal(isFrozen(sandbox), true);
  const before = said;
  child.kill('SIGTERM');
  child.kill('SIGCONT');
  await new Promise((done) => setTimeout(done, 400));
  t.equal(said.replace(before, '').length <= 'beat\n'.length, true, 'at most what was in the pipe');
  thaw(sandbox);
  t.equal(isFrozen(sandbox), false);
  t.ok(await until(() => said.endsWith('term\n')), 'the signal was waiting');
});
