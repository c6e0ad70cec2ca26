// Owns the supervisor and real control groups: nothing of a run outlives it, and nobody else is touched.
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { fields, setScene } from './supervise-scene.ts';

/** What these tests need of the host; CI fails where it is missing. */
export const needs = [
  'root',
  'cgroup v1 controllers pids, memory, cpu, cpuset and freezer',
  'a cgroup v2 mount',
  'strace',
];

const v1 = ['pids', 'memory', 'cpu'];
const unified = '/sys/fs/cgroup/unified';
const record = '--record "$PWD/record" --record-head h';

let count = 0;

/** New leaves in the v1 hierarchies and their `--cgroup` options; removed after the test if it failed to. */
function makeLeaves(t: Test, hierarchies: readonly string[] = v1) {
  count += 1;
  const name = `cofferdam-test-${process.pid}-${count}`;
  const leaves = hierarchies.map((hierarchy) => join('/sys/fs/cgroup', hierarchy, name));
  for (const leaf of leaves) mkdirSync(leaf);
  t.teardown(() => {
    for (const leaf of leaves) if (existsSync(leaf)) rmdirSync(leaf);
  });
  return {
    leaves,
    options: leaves.map((leaf) => `--cgroup ${leaf}`).join(' '),
    leaf: (at: number) => leaves[at] ?? '',
  };
}

test('the program is born in every group, and the groups go with it', async (t) => {
  const scene = await setScene(t);
  const { leaves, options } = makeLeaves(t, [...v1, 'unified']);
  const { exitCode, stdout, stderr } = await scene.play(`./run ${options} -- /bin/cat /proc/self/cgroup`);
  t.equal(stderr, '');
  t.equal(exitCode, 0);
  t.equal(stdout.split('\n').filter((line) => line.includes('cofferdam-test-')).length, 4);
  t.strictSame(leaves.filter(existsSync), []);
});

test('a program that is to stay apart is born in no group, and what it puts there is killed with it', async (t) => {
  const scene = await setScene(t);
  const { leaves, options, leaf } = makeLeaves(t, [...v1, 'unified']);
  const script = `cat /proc/self/cgroup; for leaf in ${leaves.join(' ')}; do sleep 60 & echo $! >$leaf/cgroup.procs; done; cat ${leaf(0)}/cgroup.procs | wc -l`;
  const { exitCode, stdout, stderr } = await scene.play(`./run --apart ${options} -- /bin/sh -c '${script}'`);
  t.equal(stderr, '');
  t.equal(exitCode, 0);
  t.notMatch(stdout, 'cofferdam-test-');
  t.match(stdout, /^1$/m, 'control: one was put there');
  t.strictSame(leaves.filter(existsSync), []);
});

test('what a program leaves behind is killed before its slot is free', async (t) => {
  const scene = await setScene(t);
  const { leaves, options } = makeLeaves(t);
  const { exitCode, stdout } = await scene.play(`touch slot
    ./run ${options} --slot "$PWD/slot" -- /bin/sh -c 'trap "" TERM HUP; setsid sleep 60 & setsid sh -c "sleep 61 & sleep 62" & echo ok; exit 3'`);
  t.equal(exitCode, 3);
  t.equal(stdout, 'ok\n', 'and does not hold the pipe');
  t.strictSame(leaves.filter(existsSync), []);
  t.notOk(existsSync(join(scene.directory, 'slot')));
});

test('a fork bomb ends at the deadline and leaves nothing', async (t) => {
  const scene = await setScene(t);
  const { leaves, options, leaf } = makeLeaves(t);
  writeFileSync(join(leaf(0), 'pids.max'), '100');
  const bomb = 'bomb() { trap "" TERM; bomb & bomb & wait; while :; do bomb & sleep 0.01; done; }; bomb 2>/dev/null';
  const { exitCode } = await scene.play(`./run ${record} ${options} -- /bin/bash -c '${bomb}'`, {
    timeout: 700,
    err: 1,
  });
  t.equal(exitCode, 124);
  t.strictSame(leaves.filter(existsSync), []);
});

test('a program that was killed for its memory is 137 with reason oom; a plain kill is not', async (t) => {
  const scene = await setScene(t);
  const hog = 'import os\nx = bytearray(200 << 20)\nfor i in range(0, len(x), 4096): x[i] = 1';
  for (const [program, reason] of [
    [`/usr/bin/python3 -c '${hog}'`, 'oom'],
    ["/bin/sh -c 'kill -9 $$'", 'signal'],
  ]) {
    const { options, leaf } = makeLeaves(t);
    writeFileSync(join(leaf(1), 'memory.limit_in_bytes'), String(32 << 20));
    const { exitCode } = await scene.play(
      `rm -f record; ./run ${record} ${options} --oom-file ${leaf(1)}/memory.oom_control -- ${program}`,
    );
    t.equal(exitCode, 137);
    t.equal(fields(scene.read('record'))[4], reason);
  }
});

test('the OOM counter of cgroup v2 is read as well', async (t) => {
  const scene = await setScene(t);
  for (const [kills, reason] of [
    ['3', 'oom'],
    ['0', 'signal'],
  ]) {
    writeFileSync(
      join(scene.directory, 'events'),
      `low 0\nhigh 0\nmax 9\noom 1\noom_kill ${kills}\noom_group_kill 0\n`,
    );
    await scene.play(`rm -f record; ./run ${record} --oom-file "$PWD/events" -- /bin/sh -c 'kill -9 $$'`);
    t.equal(fields(scene.read('record'))[4], reason);
  }
});

test('a host without a pid to spare gets a clear failure, and the clean-up needs none', async (t) => {
  const scene = await setScene(t);
  const cases = [
    { pids: 1, does: '-- /bin/true', says: 'cannot start a process' },
    // Whoever says nothing needs no thread of ours.
    { pids: 2, does: '-- /bin/true', says: undefined },
    // What was said is passed on as soon as there is a pid: here, that of the program.
    { pids: 2, does: '-- /bin/echo said', says: undefined },
    { pids: 2, does: '--stdin -- /bin/cat', says: 'cannot start a thread' },
    { pids: 4, does: '--stdin -- /bin/cat', says: undefined },
  ];
  for (const { pids, does, says } of cases) {
    const outer = makeLeaves(t, ['pids']);
    const { leaves, options } = makeLeaves(t, ['memory', 'cpu']);
    writeFileSync(join(outer.leaf(0), 'pids.max'), String(pids));
    const { exitCode, stderr } = await scene.play(`mkdir dir; touch slot; echo $$ >${outer.leaf(0)}/cgroup.procs
      exec ./run ${options} --run-dir "$PWD/dir" --slot "$PWD/slot" ${does} <run`);
    t.equal(exitCode, says === undefined ? 0 : 125, does);
    t.equal(stderr, says === undefined ? '' : `sandbox: ${says}: Resource temporarily unavailable\n`);
    t.strictSame([...leaves, join(scene.directory, 'dir'), join(scene.directory, 'slot')].filter(existsSync), []);
  }
});

test('refuses a group that is in use, and touches nothing of it', async (t) => {
  const scene = await setScene(t);
  const { leaf, options } = makeLeaves(t);
  const { stdout, stderr } = await scene.play(`
    sleep 60 & bystander=$!; echo $bystander >${leaf(2)}/cgroup.procs; mkdir ${leaf(2)}/below dir; touch slot
    ./run ${record} ${options} --run-dir "$PWD/dir" --slot "$PWD/slot" -- /bin/touch started; echo $?
    kill -0 $bystander && echo alive; ls -d ${leaf(2)}/below dir slot | wc -l
    kill $bystander; wait $bystander; rmdir ${leaf(2)}/below`);
  t.equal(stdout, '125\nalive\n3\n');
  t.match(stderr, /^sandbox: the control group \S+ is in use already\n/);
  t.equal(scene.read('started'), undefined);
  t.equal(fields(scene.read('record'))[4], 'launch');
});

test('refuses to start outside a group that it cannot join', async (t) => {
  const scene = await setScene(t);
  const missing = await scene.play('./run --cgroup /sys/fs/cgroup/pids/none -- /bin/touch started');
  t.equal(missing.exitCode, 125);
  t.match(missing.stderr, /cannot open the control group \/sys\/fs\/cgroup\/pids\/none: No such file or directory/);
  const { options, leaf } = makeLeaves(t);
  // A new v1 cpuset has no processors, and no process can be moved there.
  const { options: cpuset } = makeLeaves(t, ['cpuset']);
  const refusing = await scene.play(`./run ${options} ${cpuset} -- /bin/touch started`);
  t.equal(refusing.exitCode, 125);
  t.match(refusing.stderr, /cannot join the control group .*: No space left on device/);
  t.equal(scene.read('started'), undefined);
  t.notOk(existsSync(leaf(0)));
});

test('groups that an engine made below go too, with what runs in them', async (t) => {
  const scene = await setScene(t);
  const { leaves, options, leaf } = makeLeaves(t, ['pids', 'unified']);
  const { exitCode } = await scene.play(`./run ${options} -- /bin/sh -c '
    for g in ${leaves.join(' ')}; do mkdir -p $g/c/d; done
    setsid sleep 60 & echo $! >${leaf(0)}/c/d/cgroup.procs; echo $! >${leaf(1)}/c/cgroup.procs; exit 2'`);
  t.equal(exitCode, 2);
  t.strictSame(leaves.filter(existsSync), []);
});

test('the slot and the directory stay while a process cannot be ended', async (t) => {
  const scene = await setScene(t);
  const { leaves, leaf, options } = makeLeaves(t, ['pids', 'freezer']);
  const { stdout, stderr } = await scene.play(`mkdir dir; touch slot
    ./run ${record} ${options} --run-dir "$PWD/dir" --slot "$PWD/slot" -- /bin/sh -c '
      mkdir ${leaf(1)}/cold; setsid sleep 60 & echo $! >pid; echo $! >${leaf(1)}/cold/cgroup.procs
      echo FROZEN >${leaf(1)}/cold/freezer.state; exit 0'
    ls -d dir slot`);
  const pid = readFileSync(join(scene.directory, 'pid'), 'utf8').trim();
  t.ok(existsSync(`/proc/${pid}`), 'control: a v1 frozen process does not die');
  t.equal(stdout, 'dir\nslot\n');
  t.match(stderr, /processes are left in .*\n.*not cleaned up\n {2}sandbox gc\n$/s);
  t.equal(fields(scene.read('record'))[4], 'exited', 'the record is written nevertheless');
  await scene.play(`echo THAWED >${leaf(1)}/cold/freezer.state; while [ -d /proc/${pid} ]; do sleep 0.01; done
    rmdir ${leaf(1)}/cold ${leaves.join(' ')}`);
});

test('the unified hierarchy is joined at birth', async (t) => {
  const scene = await setScene(t);
  t.ok(existsSync(unified), 'needs a cgroup v2 mount');
  const { options, leaf } = makeLeaves(t, ['unified']);
  const { stdout } = await scene.play(
    `strace -f -e trace=clone3,write -o trace ./run ${options} -- /bin/sh -c 'cat ${leaf(0)}/cgroup.procs | wc -l'; grep -c 'CLONE_INTO_CGROUP' trace; grep -c 'write(.*"0", 1' trace`,
  );
  t.equal(stdout, '3\n1\n0\n');
});
