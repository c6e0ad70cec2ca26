// Owns the proof that gVisor below podman's monitor is gVisor as without it, and that nothing of it outlives us.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { declareNeeds } from '../system/needs.ts';
import { newId, sandboxFile, sceneOf, testAsBoth, until } from '../system/scene.ts';
import { membersOf, readSoft } from '../system/traces.ts';

declareNeeds('podman', 'runsc', 'base-tools');
// A bound on whatever machine, not an expectation.
tap.setTimeout(900_000);

const engine = ['--engine', 'podman', '--isolation', 'gvisor'];
const chosen = [...engine, '--profile', 'base-tools'];
const nameOf = (pid: number) => readSoft(`/proc/${pid}/cmdline`).split('\0')[0]?.split('/').at(-1) ?? '';
const isAlive = (pid: number) => /^State:\s*[^ZX\s]/m.test(readSoft(`/proc/${pid}/status`));

const look = `
cat; cat /proc/version; grep -E "^(Uid|CapBnd|Seccomp):" /proc/self/status
sed 1,2d /proc/net/dev | cut -d: -f1 | tr -d " "
echo err >&2; exit 7
`;

testAsBoth("the kernel inside is gVisor's, and streams and status pass through podman", async (t, scene) => {
  const args = [...chosen, '--stdin', '--', 'sh', '-c', look];
  const { status, stdout, stderr } = await scene.run(args, { input: Buffer.from('over the wall\n') });
  t.same([status, stderr], [7, 'err\n']);
  const [given, kernel, ...confined] = stdout.split('\n');
  t.equal(given, 'over the wall');
  t.match(kernel, /^Linux version 4\.4\.0 /);
  const ids = ['Uid:', ...Array<string>(4).fill('65532')].join('\t');
  t.same(confined, [ids, 'CapBnd:\t0000000000000000', 'Seccomp:\t2', 'lo', '']);
  t.equal((await scene.run([...chosen, '--', 'nonesuch'])).status, 127);
  t.equal((await scene.run([...chosen, '--', 'sh', '-c', 'kill -9 $$'])).status, 137);
});

// A plain user's: matrix-cells.system.test.ts.
tap.test('sandbox verify passes with podman as it does without', async (t) => {
  const scene = sceneOf('root');
  const { status, stdout, stderr } = await scene.sandbox(['verify', '--json', ...engine, '--profile', 'default']);
  t.equal(status, 0, stderr);
  const verified = JSON.parse(stdout) as { engine: string; counts: { failed: number; skipped: number } };
  t.equal(verified.engine, 'podman+runsc');
  t.equal(verified.counts.failed, 0);
  t.ok(verified.counts.skipped <= 24, `${verified.counts.skipped} skipped`);
});

testAsBoth(
  'TERM reaches the program, and who kills supervisor, monitor or client ends the sandbox',
  async (t, scene) => {
    const script = 'trap "echo ended; exit 3" TERM; echo ready; while :; do sleep 0.1; done';
    const start = async () => {
      const id = newId();
      const run = scene.spawn(sandboxFile, ['run', '--id', id, ...chosen, '--', 'sh', '-c', script]);
      t.ok(await until(() => run.out().includes('ready')), 'it starts');
      const pids = membersOf(scene.uid, id).filter(isAlive);
      const find = (name: string) => pids.find((pid) => nameOf(pid) === name) ?? 0;
      return { id, run, pids, find };
    };
    const polite = await start();
    for (const name of ['podman', 'conmon', 'runsc-sandbox', 'runsc-gofer'])
      t.ok(polite.find(name) > 1, `limits hold for ${name}`);
    polite.run.child.kill('SIGTERM');
    const { status, stdout } = await polite.run.ended;
    t.equal(status, 143);
    t.match(stdout, /^ended$/m);
    t.same(scene.traces(polite.id), []);

    const killed = await start();
    const record = readFileSync(join(scene.paths.run, 'records', killed.id), 'utf8');
    process.kill(Number(record.split(' ')[2]), 'SIGKILL');
    t.ok(await until(() => !killed.pids.some(isAlive)), 'all of them end with the supervisor');
    await killed.run.ended;
    await scene.sandbox(['gc']);
    t.same(scene.traces(killed.id), []);

    for (const name of scene.uid === 0 ? ['conmon'] : ['conmon', 'podman']) {
      const { id, run, find } = await start();
      const sentry = find('runsc-sandbox');
      process.kill(find(name), 'SIGKILL');
      t.ok(await until(() => !isAlive(sentry)), `the sandbox ends with ${name}`);
      const ended = await run.ended;
      t.equal(ended.status, 125, 'which is no end of its program');
      t.match(ended.stderr, /podman ended before the sandbox did/);
      t.same(scene.traces(id), []);
    }
  },
);

tap.test('refuses to keep a sandbox between commands', async (t) => {
  const scene = sceneOf('plain user');
  const { status, stderr } = await scene.sandbox(['create', ...chosen, '--pids', '512']);
  t.equal(status, 125);
  t.match(stderr, /podman\+runsc runs commands, but keeps no sandbox/);
  t.match(stderr, /--engine crun/);
});
