// Owns the proof that every verb of a sandbox's life does on an engine what it does on crun.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { namesFolder } from '../../lib/run/life/sandbox.ts';
import { newName } from '../system/lifeScene.ts';
import type { Scene } from '../system/scene.ts';
import { type LifeStage, makeOn, stateOf, testOn } from './lifeStage.ts';

async function logsOf(scene: Scene, name: string, ...options: string[]): Promise<string> {
  return (await scene.sandbox(['logs', ...options, name])).stdout;
}

async function logsSay(scene: Scene, name: string, text: string): Promise<boolean> {
  for (let look = 0; look < 1000; look++) {
    if ((await logsOf(scene, name)).includes(text)) return true;
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}

function proveStates(stage: LifeStage): void {
  testOn(stage, 'create, start, ps, inspect, wait, stop, start again, rm, prune', async (t, scene) => {
    const name = newName();
    const words = ['create', '-p', 'base-tools', '--engine', stage.engine, '--name', name, '-l', `life=${name}`];
    const created = await scene.sandbox([...words, '--', 'sh', '-c', 'echo out; echo err >&2; exec sleep 1000']);
    t.equal(created.status, 0, created.stderr);
    t.teardown(() => scene.sandbox(['rm', '-f', name]));
    const id = created.stdout.trim();
    t.equal(await stateOf(scene, { name }), 'created');
    const again = await scene.sandbox(words);
    t.match(again, { status: 125, stdout: '', stderr: new RegExp(name) }, 'the name is taken');
    for (const starts of [1, 2]) {
      t.match(await scene.sandbox(['start', name]), { status: 0, stdout: `${name}\n`, stderr: '' });
      t.match((await scene.sandbox(['ps', '--no-trunc', '--filter', `label=life=${name}`])).stdout, id);
      t.match((await scene.sandbox(['inspect', name])).stdout, new RegExp(`"name": "${stage.engine}"`));
      t.ok(await logsSay(scene, name, 'out\n'));
      const waiting = scene.sandbox(['wait', name]);
      t.match(await scene.sandbox(['stop', name]), { status: 0, stdout: `${name}\n` });
      t.match(await waiting, { status: 0, stdout: '143\n' });
      t.equal(await stateOf(scene, { name }), 'exited');
      t.strictSame(await stage.listLeft(scene, `${id}-${starts}`), []);
      t.match((await scene.sandbox(['receipt', 'verify', `${id}-${starts}`])).stdout, /^PASS/);
    }
    t.equal((await scene.sandbox(['logs', name])).stderr, 'err\nerr\n', 'both streams, of both starts');
    t.match((await scene.sandbox(['prune', '--filter', `label=life=${name}`])).stdout, id.slice(0, 13));
    t.notOk(existsSync(join(namesFolder(scene.paths), name)));
  });
}

function proveSignals(stage: LifeStage): void {
  const script = 'trap "echo got" USR1; echo up; while :; do sleep 0.1; done';
  testOn(stage, 'kill sends the signal that is named, and KILL ends it', async (t, scene) => {
    const live = await makeOn(t, stage, scene, [], ['--', 'sh', '-c', script]);
    t.ok(await logsSay(scene, live.name, 'up\n'));
    t.equal((await scene.sandbox(['kill', '-s', 'USR1', live.name])).status, 0);
    t.ok(await logsSay(scene, live.name, 'got\n'));
    t.equal(await stateOf(scene, live), 'running');
    t.equal((await scene.sandbox(['kill', live.name])).status, 0);
    t.equal(await stateOf(scene, live), 'exited');
    t.equal((await scene.sandbox(['wait', live.name])).stdout, '137\n');
  });
  testOn(stage, 'stop kills a program that ignores TERM, after the time it is given', async (t, scene) => {
    for (const time of ['0', '3']) {
      const live = await makeOn(t, stage, scene, [], ['--', 'sh', '-c', 'trap "" TERM; echo up; exec sleep 1000']);
      t.ok(await logsSay(scene, live.name, 'up\n'));
      const began = Date.now();
      t.equal((await scene.sandbox(['stop', '-t', time, live.name])).status, 0);
      t.ok(Date.now() - began >= Number(time) * 1000);
      t.equal(await stateOf(scene, live), 'exited');
      t.strictSame(await stage.listLeft(scene, live.run), []);
    }
  });
  testOn(stage, 'it ends when its time is over, and when it is idle, though nobody is there', async (t, scene) => {
    const timed = await makeOn(
      t,
      stage,
      scene,
      ['--ttl', '2s'],
      ['--', 'sh', '-c', 'while :; do echo x; sleep 0.1; done'],
    );
    const idle = await makeOn(t, stage, scene, ['--idle', '2s']);
    t.match(await scene.sandbox(['wait', timed.name, idle.name]), { stdout: '124\n124\n' });
    t.strictSame([...(await stage.listLeft(scene, timed.run)), ...(await stage.listLeft(scene, idle.run))], []);
  });
}

function provePause(stage: LifeStage): void {
  testOn(stage, 'a paused one does nothing, is entered by nobody, goes on, and ends when it must', async (t, scene) => {
    const live = await makeOn(t, stage, scene, [], ['--', 'sh', '-c', 'while :; do echo beat; sleep 0.1; done']);
    t.ok(await logsSay(scene, live.name, 'beat\nbeat\n'));
    t.match(await scene.sandbox(['pause', live.name]), { status: 0, stdout: `${live.name}\n` });
    t.equal(await stateOf(scene, live), 'paused');
    const before = await logsOf(scene, live.name);
    await new Promise((done) => setTimeout(done, 400));
    t.equal(await logsOf(scene, live.name), before);
    t.match(await live.exec([], ['true']), { status: 125, stderr: /it is paused/ });
    t.match(await scene.sandbox(['rm', live.name]), { status: 125, stderr: /is paused/ });
    t.equal((await scene.sandbox(['unpause', live.name])).status, 0);
    t.ok(await logsSay(scene, live.name, `${before}beat\n`));
    t.match(await live.exec([], ['echo', 'awake']), { status: 0, stdout: 'awake\n' });
    t.equal((await scene.sandbox(['pause', live.name])).status, 0);
    t.equal((await scene.sandbox(['rm', '-f', live.name])).status, 0);
    t.strictSame(await stage.listLeft(scene, live.run), []);
  });
}

function proveFiles(stage: LifeStage): void {
  testOn(stage, 'cp carries files both ways, and stats and logs tell of it', async (t, scene) => {
    const live = await makeOn(t, stage, scene);
    const file = scene.write('in/file', 'over the wall\n', 0o755);
    const into = await scene.sandbox(['cp', file, `${live.name}:/workspace/file`]);
    t.match(into, { status: 0, stdout: '' }, into.stderr);
    t.equal((await live.exec([], ['stat', '-c', '%u %a', '/workspace/file'])).stdout, '65532 755\n');
    await live.exec(
      [],
      ['sh', '-c', 'mkdir /workspace/out; echo back >/workspace/out/a; ln -s /etc/passwd /workspace/out/b'],
    );
    const target = join(scene.home, `out-${live.name}`);
    const out = await scene.sandbox(['cp', `${live.name}:/workspace/out`, target]);
    t.match(out.stderr, /link/, 'what was refused is told');
    t.equal(readFileSync(join(target, 'a'), 'utf8'), 'back\n');
    t.notOk(existsSync(join(target, 'b')));
    t.match(await scene.sandbox(['cp', `${live.name}:/no/such`, target]), { status: 125, stdout: '' });
    t.match(await scene.sandbox(['cp', file, `${live.name}:/etc/file`]), { status: 125, stderr: /Read-only/ });
    const stats = await scene.sandbox(['stats', '--no-stream', '--format', '{{.PIDs}} {{.MemUsage}}', live.name]);
    t.match(stats.stdout, /^[1-9][0-9]* \/ 128 [0-9.]+.iB \/ 512.0MiB\n$/, stats.stderr);
  });
}

/** Every verb, on every caller of the stage. */
export function proveVerbs(stage: LifeStage): void {
  proveStates(stage);
  proveSignals(stage);
  provePause(stage);
  proveFiles(stage);
}
