// Owns the supervisor around a program that enters a live sandbox: whose its processes are when it ends, and when we are killed.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type Scene, setScene, until } from './supervise-scene.ts';

/** What these tests need of the host; CI fails where it is missing. */
export const needs = ['root', 'the cgroup v1 controllers pids and memory', 'a cgroup v2 mount'];

let count = 0;

interface Sandbox {
  /** Folders of its groups, as a live sandbox has them. */
  readonly leaves: readonly string[];
  /** Options of the supervisor for the execution `id`. */
  options(id: string): string[];
  groups(): string[];
  members(): string[];
}

function makeSandbox(t: Test, scene: Scene): Sandbox {
  count += 1;
  const name = `cofferdam-enter-${process.pid}-${count}`;
  const leaves = ['pids', 'memory', 'unified'].map((hierarchy) => join('/sys/fs/cgroup', hierarchy, name));
  for (const leaf of leaves) mkdirSync(leaf);
  mkdirSync(join(scene.directory, 'execs'));
  const groups = () =>
    leaves.flatMap((leaf) =>
      readdirSync(leaf, { withFileTypes: true })
        .filter((entry) => entry.isDirectory())
        .map((entry) => join(leaf, entry.name)),
    );
  const members = () =>
    groups().flatMap((group) => readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean));
  t.teardown(async () => {
    for (const pid of members()) process.kill(Number(pid), 'SIGKILL');
    await until(() => members().length === 0);
    for (const group of [...groups(), ...leaves]) rmdirSync(group);
  });
  const options = (id: string) => [
    ...['--make', '--enter', '--run-dir', join(scene.directory, 'execs', id)],
    ...leaves.flatMap((leaf) => ['--cgroup', join(leaf, id)]),
  ];
  return { leaves, options, groups, members };
}

const family = 'trap "" TERM; setsid sleep 100 & (setsid sleep 101 >/dev/null 2>&1 &); echo up; wait';

// In a session of its own, as under our init: what is in the runtime's own process group ends with it.
const left = 'setsid sh -c "echo up >up; exec sleep 100" & until [ -s up ]; do sleep 0.01; done; echo left';

test('an execution leaves no group behind when it leaves no process', async (t) => {
  const scene = await setScene(t);
  const sandbox = makeSandbox(t, scene);
  const { exitCode, stdout } = await scene.play(
    `./run ${sandbox.options('one').join(' ')} -- /bin/cat /proc/self/cgroup`,
  );
  t.equal(exitCode, 0);
  t.equal(stdout.match(/\/cofferdam-enter-[0-9-]+\/one$/gm)?.length, 3, stdout);
  t.strictSame(sandbox.groups(), []);
  t.strictSame(readdirSync(join(scene.directory, 'execs')), []);
});

test('what a program leaves goes on when it ended by itself, and its group goes with a later one', async (t) => {
  const scene = await setScene(t);
  const sandbox = makeSandbox(t, scene);
  const words = (id: string, script: string) => `./run ${sandbox.options(id).join(' ')} -- /bin/sh -c '${script}'`;
  const { exitCode, stdout } = await scene.play(words('one', left));
  t.match({ exitCode, stdout }, { exitCode: 0, stdout: 'left\n' });
  t.equal(new Set(sandbox.members()).size, 1);
  t.strictSame(readdirSync(join(scene.directory, 'execs')), []);
  mkdirSync(join(scene.directory, 'execs', 'begun'));
  mkdirSync(join(sandbox.leaves[0] ?? '', 'begun'));
  await scene.play(words('two', 'true'));
  t.equal(new Set(sandbox.members()).size, 1, 'one that is in use is left alone');
  for (const pid of new Set(sandbox.members())) process.kill(Number(pid), 'SIGKILL');
  t.ok(await until(() => sandbox.members().length === 0));
  await scene.play(words('three', 'true'));
  t.strictSame(
    sandbox.groups().map((group) => group.slice(-6)),
    ['/begun'],
    'and so is the group of an execution that has only begun',
  );
});

test('a timeout ends the whole tree of an execution', async (t) => {
  const scene = await setScene(t);
  const sandbox = makeSandbox(t, scene);
  const { exitCode } = await scene.play(`./run ${sandbox.options('one').join(' ')} -- /bin/sh -c '${family}'`, {
    timeout: 500,
  });
  t.equal(exitCode, 124);
  t.strictSame(sandbox.groups(), []);
});

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  test(`${signal} of the supervisor ends the whole tree of an execution`, async (t) => {
    const scene = await setScene(t);
    const sandbox = makeSandbox(t, scene);
    const started = scene.start([...sandbox.options('one'), '--', '/bin/sh', '-c', family]);
    t.ok(await until(() => started.output().includes('up')));
    started.kill(signal);
    await started.ended;
    t.ok(await until(() => sandbox.groups().length === 0), sandbox.members().join(' '));
    t.ok(await until(() => !existsSync(join(scene.directory, 'execs', 'one'))));
  });
}

test('a runtime that is killed takes along what it brought in', async (t) => {
  const scene = await setScene(t);
  const sandbox = makeSandbox(t, scene);
  const script = 'setsid sleep 100 & kill -KILL $$';
  const { exitCode } = await scene.play(`./run ${sandbox.options('one').join(' ')} -- /bin/sh -c '${script}'`);
  t.equal(exitCode, 137);
  t.strictSame(sandbox.groups(), []);
});

test('refuses a terminal without one, and an execution without a folder of its own', async (t) => {
  const scene = await setScene(t);
  const none = await scene.play('./run --make --run-dir "$PWD/made" --terminal -- /bin/touch started');
  t.match(none, { exitCode: 125, stderr: /there is no terminal\n {2}leave -t out/ });
  const bare = await scene.play('./run --enter -- /bin/touch started');
  t.match(bare, { exitCode: 125, stderr: /--enter and --terminal need --run-dir/ });
  t.equal(scene.read('started'), undefined);
});
