// Owns what the supervisor makes of the kernel's word about limits: OOM kills of any process, refused forks, limits that lack.
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { fields, setScene } from './supervise-scene.ts';

/** What these tests need of the host; CI fails where it is missing. */
export const needs = ['root', 'cgroup v1 controllers pids and memory'];

const record = '--record "$PWD/record" --record-head h';
const swallow = 'head -c 200m /dev/zero | tail >/dev/null';

let count = 0;

function makeLeaf(t: Test, hierarchy: 'memory' | 'pids', file: string, value: number): string {
  count += 1;
  const leaf = join('/sys/fs/cgroup', hierarchy, `cofferdam-oom-${process.pid}-${count}`);
  mkdirSync(leaf);
  t.teardown(() => {
    if (existsSync(leaf)) rmdirSync(leaf);
  });
  writeFileSync(join(leaf, file), String(value));
  return leaf;
}

test('a run ends as oom when any of its processes is killed for memory, the rest at once', async (t) => {
  for (const script of [
    `(${swallow}) & wait; exec sleep 60`,
    `(${swallow}) & wait; exit 0`,
    `exec ${swallow.split(' | ')[0]} | exec tail`,
  ]) {
    const scene = await setScene(t);
    const leaf = makeLeaf(t, 'memory', 'memory.limit_in_bytes', 32 << 20);
    const options = `${record} --cgroup ${leaf} --oom-file ${leaf}/memory.oom_control`;
    const { exitCode } = await scene.play(`./run ${options} -- /bin/sh -c '${script}'`, { timeout: 20_000 });
    t.equal(exitCode, 137, script);
    t.equal(fields(scene.read('record'))[4], 'oom', script);
    t.notOk(existsSync(leaf), 'its group is gone');
  }
});

test('a v1 kernel that does not tell of OOM kills still has them counted at the end', async (t) => {
  const scene = await setScene(t);
  const leaf = makeLeaf(t, 'memory', 'memory.limit_in_bytes', 32 << 20);
  writeFileSync(join(scene.directory, 'memory.oom_control'), 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n');
  const options = `${record} --cgroup ${leaf} --oom-file "$PWD/memory.oom_control"`;
  t.equal((await scene.play(`./run ${options} -- /bin/true`)).exitCode, 137);
});

test('refused forks and limits that lack are marked in the record, after cut streams', async (t) => {
  const scene = await setScene(t);
  const leaf = makeLeaf(t, 'pids', 'pids.max', 4);
  const options = `${record} --cgroup ${leaf} --pids-file ${leaf}/pids.events --lacking mc`;
  const bomb = 'echo long; for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait';
  await scene.play(`./run ${options} -- /bin/bash -c '${bomb}'`, { out: 2 });
  t.equal(fields(scene.read('record'))[7], 'opmc');
  await scene.play(`rm record; ./run ${record} -- /bin/true`);
  t.equal(fields(scene.read('record'))[7], '-');
});

test('refuses letters of limits that there are not, and half of what moving by systemd takes', async (t) => {
  const scene = await setScene(t);
  for (const options of [
    '--lacking x',
    "--lacking ''",
    '--lacking mncm',
    '--unit cofferdam-runs',
    '--manager /run/none',
  ]) {
    const { exitCode } = await scene.play(`./run ${options} -- /bin/touch started`);
    t.equal(exitCode, 125, options);
  }
  t.equal(scene.read('started'), undefined);
});
