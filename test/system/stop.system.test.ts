// Owns the proof that a TERM which comes while a sandbox is being set up is not lost: with a grace of ten minutes, only what is
// heard ends a run. crun passes on what it gets before init can take it, and the kernel drops that (pid_namespaces(7)).
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tap from 'tap';
import { rootfsOf } from './control.ts';
import { declareNeeds } from './needs.ts';
import { install, newId, type Started, sceneOf, until } from './scene.ts';

declareNeeds('crun', 'base-tools');

const scene = sceneOf('root');
const bundle = mkdtempSync(join(tmpdir(), 'cofferdam-stop-'));
tap.teardown(() => rmSync(bundle, { recursive: true, force: true }));

/** What `crun spec` proposes, with our init and `script` below it. */
async function writeBundle(script: string): Promise<void> {
  rmSync(join(bundle, 'config.json'), { force: true });
  const { status, stderr } = await scene.spawn('/usr/bin/crun', ['spec'], { cwd: bundle }).ended;
  if (status !== 0) throw new Error(`crun spec: ${stderr}`);
  const spec = JSON.parse(readFileSync(join(bundle, 'config.json'), 'utf8'));
  const init = ['/tmp/init', '-p', 'SIGKILL', '-g', '--'];
  spec.root = { path: rootfsOf('base-tools'), readonly: true };
  spec.process = { ...spec.process, terminal: false, args: [...init, '/bin/sh', '-c', script] };
  spec.mounts.push(
    { destination: '/tmp', type: 'tmpfs', source: 'tmpfs' },
    { destination: '/tmp/init', type: 'bind', source: join(install, 'dist/native/init'), options: ['bind', 'ro'] },
  );
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(spec));
}

function start(graceMs: number, more: readonly string[] = []): Started {
  const id = newId();
  const state = join(bundle, id);
  mkdirSync(state);
  const bounds = ['--timeout-ms', '0', '--idle-ms', '0', '--stdout-max', '0', '--stderr-max', '0'];
  const crun = ['/usr/bin/crun', '--root', state, '--cgroup-manager=disabled', 'run', '--bundle', bundle, id];
  const words = ['--id', id, ...bounds, '--grace-ms', String(graceMs), ...more, '--', ...crun];
  return scene.spawn(join(install, 'dist/native/supervise'), words);
}

function isOver({ child }: Started): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

tap.test('a TERM at any moment of the start ends the run long before its grace', async (t) => {
  await writeBundle('echo up; exec sleep 600');
  const begin = performance.now();
  const first = start(600_000);
  t.ok(await until(() => first.out().includes('up')), 'the program runs, unstopped');
  const wholeMs = performance.now() - begin;
  first.child.kill('SIGTERM');
  t.equal((await first.ended).status, 143);
  const moments = Array.from({ length: 40 }, (_, n) => (n / 32) * wholeMs);
  let before = 0;
  for (const ms of moments) {
    const run = start(600_000);
    await new Promise((done) => setTimeout(done, ms));
    if (!run.out().includes('up')) before++;
    run.child.kill('SIGTERM');
    const heard = await until(() => isOver(run));
    if (!heard) run.child.kill('SIGKILL');
    const { status, signal, stderr } = await run.ended;
    // Before the supervisor takes signals it dies of it.
    t.ok(heard && (status === 143 || signal === 'SIGTERM'), `${ms.toFixed(1)} ms: ${status} ${signal} ${stderr}`);
  }
  t.ok(before > 0, `${before} of ${moments.length} came before the program ran`);
});

tap.test('a program that runs gets TERM once', async (t) => {
  await writeBundle('trap "echo told" TERM; echo up; while :; do sleep 0.05; done');
  const run = start(5000);
  t.ok(await until(() => run.out().includes('up')), 'it runs');
  run.child.kill('SIGTERM');
  const { status, stdout } = await run.ended;
  t.strictSame([status, stdout], [143, 'up\ntold\n']);
});

tap.test('a TERM at any moment of its change of hands ends the run long before its grace', async (t) => {
  await writeBundle('echo up; exec sleep 600');
  // From before its runtime is let go until after it, a second after the start; eight side by side come at more moments than are named.
  for (let round = 0; round < 5; round++) {
    const ends = Array.from({ length: 8 }, async (_, n) => {
      const run = start(600_000, ['--let-go']);
      t.ok(await until(() => run.out().includes('up')), 'the program runs');
      await new Promise((done) => setTimeout(done, 960 + round * 8 + n));
      run.child.kill('SIGTERM');
      const heard = await until(() => isOver(run));
      if (!heard) run.child.kill('SIGKILL');
      const { status, stderr } = await run.ended;
      t.ok(heard && status === 143, `${status} ${stderr}`);
    });
    await Promise.all(ends);
  }
});
