// Owns the proof that the verbs of a sandbox's life do on an engine what they do on crun.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { namesFolder } from '../../lib/run/life/sandbox.ts';
import { logText, newName } from '../system/lifeScene.ts';
import type { Live } from '../system/live.ts';
import { type Scene, until } from '../system/scene.ts';
import { type LifeStage, makeOn, stateOf, testOn } from './lifeStage.ts';

/** Heard by a program that counts, so that it is seen to go on. */
const counting = `trap "echo got" USR1; echo up; echo err >&2; trap "" TERM
while :; do echo beat; sleep 0.1; done`;

/** Every line of `ps`, `inspect`, `stats` and `logs` is of our own code; that they find this engine's sandbox is not. */
async function showTelling(t: Test, { engine }: LifeStage, scene: Scene, live: Live): Promise<void> {
  t.match((await scene.sandbox(['ps', '--no-trunc', '--filter', `name=${live.name}`])).stdout, live.id);
  t.match((await scene.sandbox(['inspect', live.name])).stdout, new RegExp(`"name": "${engine}"`));
  const stats = await scene.sandbox(['stats', '--no-stream', '--format', '{{.PIDs}} {{.MemUsage}}', live.name]);
  t.match(stats.stdout, /^[1-9][0-9]* \/ 128 [0-9.]+.iB \/ 512.0MiB\n$/, stats.stderr);
  t.ok(await until(() => /^err$/m.test(logText(scene, live))));
  t.match(await scene.sandbox(['logs', live.name]), { stdout: /^up\n/, stderr: 'err\n' }, 'both streams');
}

async function showSignals(t: Test, scene: Scene, live: Live): Promise<void> {
  t.equal((await scene.sandbox(['kill', '-s', 'USR1', live.name])).status, 0);
  t.ok(await until(() => /^got$/m.test(logText(scene, live))), 'the signal that is named');
  t.equal(await stateOf(scene, live), 'running');
}

async function showPause(t: Test, scene: Scene, live: Live): Promise<void> {
  t.match(await scene.sandbox(['pause', live.name]), { status: 0, stdout: `${live.name}\n` });
  t.equal(await stateOf(scene, live), 'paused');
  const before = logText(scene, live);
  await new Promise((done) => setTimeout(done, 400));
  t.equal(logText(scene, live), before, 'it does nothing');
  t.match(await live.exec([], ['true']), { status: 125, stderr: /it is paused/ });
  t.equal((await scene.sandbox(['unpause', live.name])).status, 0);
  t.ok(await until(() => logText(scene, live).length > before.length), 'it goes on');
}

async function showFiles(t: Test, scene: Scene, live: Live): Promise<void> {
  const file = scene.write('in/file', 'over the wall\n', 0o755);
  const into = await scene.sandbox(['cp', file, `${live.name}:/workspace/file`]);
  t.match(into, { status: 0, stdout: '' }, into.stderr);
  const make = `stat -c '%u %a' /workspace/file; mkdir /workspace/out; echo back >/workspace/out/a
    ln -s /etc/passwd /workspace/out/b`;
  t.equal((await live.exec([], ['sh', '-c', make])).stdout, '65532 755\n');
  const target = join(scene.home, `out-${live.name}`);
  const out = await scene.sandbox(['cp', `${live.name}:/workspace/out`, target]);
  t.match(out.stderr, /link/, 'what was refused is told');
  t.equal(readFileSync(join(target, 'a'), 'utf8'), 'back\n');
  t.notOk(existsSync(join(target, 'b')));
  t.match(await scene.sandbox(['cp', `${live.name}:/no/such`, target]), { status: 125, stdout: '' });
  t.match(await scene.sandbox(['cp', file, `${live.name}:/etc/file`]), { status: 125, stderr: /Read-only/ });
}

/** The program ignores TERM, and dies when its time is over. */
async function showStop(t: Test, stage: LifeStage, scene: Scene, live: Live): Promise<void> {
  const began = Date.now();
  t.equal((await scene.sandbox(['stop', '-t', '1', live.name])).status, 0);
  t.ok(Date.now() - began >= 1000);
  t.equal(await stateOf(scene, live), 'exited');
  t.strictSame(await stage.listLeft(scene, live.run), []);
}

function proveStates(stage: LifeStage): void {
  testOn(stage, 'create, start, wait, stop, start again, kill, rm', async (t, scene) => {
    const name = newName();
    const words = ['create', '-p', 'base-tools', '--engine', stage.engine, '--name', name];
    const created = await scene.sandbox([...words, '--', 'sh', '-c', 'echo out; exec sleep 1000']);
    t.equal(created.status, 0, created.stderr);
    t.teardown(() => scene.sandbox(['rm', '-f', name]));
    const id = created.stdout.trim();
    t.equal(await stateOf(scene, { name }), 'created');
    for (const [verb, status] of [
      ['stop', 143],
      ['kill', 137],
    ] as const) {
      t.match(await scene.sandbox(['start', name]), { status: 0, stdout: `${name}\n`, stderr: '' });
      const waiting = scene.sandbox(['wait', name]);
      t.match(await scene.sandbox([verb, name]), { status: 0, stdout: `${name}\n` });
      t.match(await waiting, { status: 0, stdout: `${status}\n` });
    }
    t.equal(await stateOf(scene, { name }), 'exited');
    for (const starts of [1, 2]) t.strictSame(await stage.listLeft(scene, `${id}-${starts}`), []);
    t.equal(logText(scene, { id, name }).match(/^out$/gm)?.length, 2, 'of both starts');
    t.match((await scene.sandbox(['receipt', 'verify', `${id}-2`])).stdout, /^PASS/);
    t.match(await scene.sandbox(['rm', name]), { status: 0, stdout: `${name}\n` });
    t.notOk(existsSync(join(namesFolder(scene.paths), name)));
  });
}

function proveEnds(stage: LifeStage): void {
  testOn(stage, 'it ends when its time is over, and when it is idle, though nobody is there', async (t, scene) => {
    const beat = ['--', 'sh', '-c', 'while :; do echo x; sleep 0.1; done'];
    const [timed, idle] = await Promise.all([
      makeOn(t, stage, scene, ['--ttl', '3s'], beat),
      makeOn(t, stage, scene, ['--idle', '2s']),
    ]);
    t.match(await scene.sandbox(['wait', timed.name, idle.name]), { stdout: '124\n124\n' });
    t.strictSame([...(await stage.listLeft(scene, timed.run)), ...(await stage.listLeft(scene, idle.run))], []);
  });
  testOn(stage, 'one that is paused is removed by force alone', async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    t.equal((await scene.sandbox(['pause', live.name])).status, 0);
    t.match(await scene.sandbox(['rm', live.name]), { status: 125, stderr: /is paused/ });
    t.equal((await scene.sandbox(['rm', '-f', live.name])).status, 0);
    t.strictSame(await stage.listLeft(scene, live.run), []);
  });
}

/** Every verb, on every caller of the stage; what one lives through it does in one sandbox. */
export function proveVerbs(stage: LifeStage): void {
  proveStates(stage);
  testOn(stage, 'one that lives', async (t, scene) => {
    const live = await makeOn(t, stage, scene, [], ['--', 'sh', '-c', counting]);
    await t.test('is told of by ps, inspect, stats and logs', (u) => showTelling(u, stage, scene, live));
    await t.test('gets the signal that kill names', (u) => showSignals(u, scene, live));
    await t.test('is paused where it is, and goes on', (u) => showPause(u, scene, live));
    await t.test('takes and gives files with cp', (u) => showFiles(u, scene, live));
    await t.test('is killed by stop, after the time that it is given', (u) => showStop(u, stage, scene, live));
  });
  proveEnds(stage);
}
