// Owns the proof of a sandbox's life: it outlives its caller, ends as it should, and leaves nothing.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { freeze } from '../../lib/run/life/freezer.ts';
import { readSandbox, sandboxesFolder } from '../../lib/run/life/sandbox.ts';
import { inspect, logText, make, newName, refused } from './lifeScene.ts';
import { declareNeeds } from './needs.ts';
import { testAsBoth, until } from './scene.ts';
import { readSoft } from './traces.ts';

declareNeeds('crun', 'base-tools');
// Hundreds of command lines, on whatever machine: a bound, not an expectation.
tap.setTimeout(900_000);

testAsBoth('a sandbox is created, started, stopped, started again and removed', async (t, scene) => {
  const made = await make(t, scene, ['-l', 'a=b', '--', 'sh', '-c', 'echo out; echo err >&2; exec sleep 1000'], false);
  t.match(made.id, /^s[0-9a-f]{16}$/);
  t.equal((await inspect(scene, made)).state.status, 'created');
  t.equal((await scene.sandbox(['ps', '-q', '--filter', `name=${made.name}`])).stdout, '', 'ps shows what runs');
  t.match((await scene.sandbox(['ps', '-a', '--filter', `name=${made.name}`])).stdout, /Created/);
  for (const starts of [1, 2]) {
    t.match(await scene.sandbox(['start', made.name]), { status: 0, stdout: `${made.name}\n`, stderr: '' });
    t.match(await inspect(scene, made), { run: `${made.id}-${starts}`, starts, state: { status: 'running' } });
    t.match((await scene.sandbox(['ps', '--filter', 'label=a=b', '--no-trunc'])).stdout, made.id);
    t.ok(await until(() => logText(scene, made).split('out\n').length === starts + 1));
    t.equal((await scene.sandbox(['stop', made.name])).status, 0);
    t.match(await inspect(scene, made), { state: { status: 'exited', exitCode: 143, reason: 'cancelled' } });
    t.strictSame(scene.traces(`${made.id}-${starts}`), []);
    t.match((await scene.sandbox(['receipt', 'verify', `${made.id}-${starts}`])).stdout, /^PASS/);
  }
  t.match(await scene.sandbox(['wait', made.name]), { stdout: '143\n' });
  t.match(await scene.sandbox(['rm', made.name]), { status: 0, stdout: `${made.name}\n` });
  t.notOk(existsSync(join(sandboxesFolder(scene.paths), made.id)));
  refused(t, await scene.sandbox(['inspect', made.name]), /no sandbox is called/);
});

testAsBoth('the exit status of its program is what wait prints, whoever started it', async (t, scene) => {
  const made = await make(t, scene, ['--', 'sh', '-c', 'sleep 0.3; exit 42']);
  t.match(await scene.call(['wait', made.name]), { status: 0, stdout: '42\n' });
  t.match(await inspect(scene, made), { state: { status: 'exited', exitCode: 42, reason: 'exited' } });
  t.strictSame(scene.traces(`${made.id}-1`), []);
});

testAsBoth(
  'its supervisor is in a session of its own, in the root folder, and holds none of our pipes',
  async (t, scene) => {
    const name = newName();
    t.teardown(() => scene.call(['rm', '-f', name]));
    // Its caller is over, and so is the end of its pipes.
    const created = await scene.sandbox(['create', '-p', 'base-tools', '--name', name, '--start']);
    const { pid } = (await inspect(scene, { name, id: created.stdout.trim() })).state;
    const fields = readSoft(`/proc/${pid}/stat`).split(') ')[1]?.split(' ') ?? [];
    t.equal(Number(fields[3]), pid, 'session');
    const held = await scene.spawn('/bin/ls', ['-l', `/proc/${pid}/fd`, `/proc/${pid}/cwd`]).ended;
    t.match(held.stdout, /cwd -> \/\n/);
    t.match(held.stdout, / 0 -> \/dev\/null\n/);
    t.match(held.stdout, / 2 -> .*\/messages\n/);
  },
);

testAsBoth('refuses to remove a running one unless it is forced', async (t, scene) => {
  const made = await make(t, scene);
  refused(t, await scene.call(['rm', made.name]), /is running\n {2}sandbox stop/);
  t.equal((await inspect(scene, made)).state.status, 'running');
  t.equal((await scene.call(['rm', '-f', made.name])).status, 0);
  t.strictSame(scene.traces(`${made.id}-1`), []);
  t.equal((await scene.call(['rm', '-f', made.name])).status, 0, 'nothing to remove is no failure then');
});

testAsBoth('stop kills a program that ignores TERM, after the time it is given', async (t, scene) => {
  const script = 'trap "" TERM; echo up; while :; do sleep 0.1; done';
  for (const time of ['0', '3']) {
    const made = await make(t, scene, ['--', 'sh', '-c', script]);
    t.ok(await until(() => logText(scene, made).includes('up')));
    t.equal((await scene.call(['stop', '-t', time, made.name])).status, 0);
    t.match(await inspect(scene, made), { state: { status: 'exited', exitCode: 143, reason: 'cancelled' } });
    t.strictSame(scene.traces(`${made.id}-1`), []);
  }
});

testAsBoth('kill sends the signal that is named, and KILL ends it', async (t, scene) => {
  const made = await make(t, scene, ['--', 'sh', '-c', 'trap "echo got" USR1; echo up; while :; do sleep 0.1; done']);
  t.ok(await until(() => logText(scene, made).includes('up')));
  t.equal((await scene.call(['kill', '-s', 'USR1', made.name])).status, 0);
  t.ok(await until(() => logText(scene, made).includes('got')));
  t.equal((await scene.call(['kill', made.name])).status, 0);
  t.match(await inspect(scene, made), { state: { status: 'exited', exitCode: 137 } });
  refused(t, await scene.call(['kill', made.name]), /does not run: it is exited/);
});

testAsBoth('a paused one is stopped, and removed by force', async (t, scene) => {
  for (const words of [['stop'], ['rm', '-f'], ['kill']]) {
    const made = await make(t, scene);
    const sandbox = readSandbox(scene.paths, made.id);
    if (sandbox === undefined) throw new Error('no sandbox');
    await freeze(sandbox);
    t.equal((await inspect(scene, made)).state.status, 'paused');
    refused(t, await scene.call(['rm', made.name]), /is paused/);
    refused(t, await scene.call(['start', made.name]), /is paused/);
    t.match(await scene.call([...words, made.name]), { status: 0, stderr: '' }, words.join(' '));
    t.strictSame(scene.traces(`${made.id}-1`), []);
  }
});

testAsBoth('it ends when its time is over, and when it is idle, though nobody is there', async (t, scene) => {
  const timed = await make(t, scene, ['--ttl', '1s', '--', 'sh', '-c', 'while :; do echo x; sleep 0.1; done']);
  const idle = await make(t, scene, ['--idle', '1s']);
  t.match(await scene.call(['wait', timed.name, idle.name]), { stdout: '124\n124\n' });
  t.equal((await inspect(scene, timed)).state.reason, 'timeout');
  t.equal((await inspect(scene, idle)).state.reason, 'idle');
});

testAsBoth('a read-only workspace is there at every start, and its claim ends with the start', async (t, scene) => {
  const folder = join(scene.home, 'project');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'file'), 'content\n', { mode: 0o644 });
  const made = await make(t, scene, ['-w', folder, '--', 'sh', '-c', 'cat file; echo x >new; exec sleep 1000']);
  t.ok(await until(() => /content\n/.test(logText(scene, made)) && /Read-only/.test(logText(scene, made))));
  t.strictSame(
    readdirSync(join(scene.paths.state, 'claims')).filter((name) => {
      return readSoft(join(scene.paths.state, 'claims', name)).includes(folder);
    }),
    [],
  );
});
