// Owns the proof that a sandbox which lives on without its runtime ends as any other: with its program's status, by signals, limits
// and the death of its supervisor. docs/decisions/0042-no-runtime-waits.md
import tap from 'tap';
import { makeLive } from './live.ts';
import { declareNeeds } from './needs.ts';
import { newId, type Scene, type Started, sandboxFile, testAsBoth, until } from './scene.ts';
import { membersOf, readSoft } from './traces.ts';

tap.setTimeout(1_800_000);
declareNeeds('crun', 'base-tools');

/** Names of the processes in a run's control groups. */
function namesIn(scene: Scene, run: string): string[] {
  return membersOf(scene.uid, run).map((pid) => readSoft(`/proc/${pid}/comm`).trim());
}

const isLetGo = (names: readonly string[]) =>
  names.includes('init') && !names.some((name) => name.startsWith('memfd:'));

interface Alone extends Started {
  readonly id: string;
}

/** A run whose program lives and whose runtime is gone. A line on its stdin lets the program go on where it reads one. */
async function startAlone(scene: Scene, script: string, options: readonly string[] = []): Promise<Alone> {
  const id = newId();
  const words = ['run', '--id', id, '-p', 'base-tools', '-i', ...options, '--', 'sh', '-c', `echo up; ${script}`];
  const run = scene.spawn(sandboxFile, words, { input: 'open' });
  const alone = await until(
    () => run.child.exitCode !== null || (run.out().includes('up') && isLetGo(namesIn(scene, id))),
  );
  if (!alone || run.child.exitCode !== null) throw new Error(`its runtime stays: ${namesIn(scene, id)} ${run.err()}`);
  return { ...run, id };
}

const asks = 'trap "echo heard; exit 3" TERM; while :; do sleep 0.05; done';

testAsBoth(
  'a run whose runtime was let go ends as its program does, by its caller and by its limits',
  async (t, scene) => {
    // Side by side: each lives for a second at least.
    const [own, killed, asked, limited, closed] = await Promise.all([
      startAlone(scene, 'read x; echo down; exit 7'),
      startAlone(scene, 'read x; kill -9 $$'),
      startAlone(scene, asks),
      startAlone(scene, 'trap "" TERM; sleep 600', ['--timeout', '8s']),
      startAlone(scene, 'sleep 600'),
    ]);
    for (const { child } of [own, killed]) child.stdin?.write('\n');
    asked.child.kill('SIGTERM');
    const [init] = membersOf(scene.uid, closed.id);
    if (init === undefined) throw new Error('nobody is in its groups');
    process.kill(init, 'SIGKILL');
    t.match(await own.ended, { status: 7, stdout: 'up\ndown\n', stderr: '' });
    t.match(await killed.ended, { status: 137 });
    t.match(await asked.ended, { status: 143, stdout: 'up\nheard\n' });
    t.match(await limited.ended, { status: 124 });
    t.match(await closed.ended, { status: 137 });
    for (const { id } of [own, killed, asked, limited, closed]) t.same(scene.traces(id), [], 'nothing is left');
  },
);

testAsBoth('a sandbox dies with its supervisor, which is all that holds it', async (t, scene) => {
  const run = await startAlone(scene, '(trap "" TERM; setsid sleep 600 &); sleep 600');
  const members = membersOf(scene.uid, run.id);
  t.ok(members.length >= 3, 'the control: init, the program and its daemon live');
  process.kill(run.pid, 'SIGKILL');
  t.ok(await until(() => membersOf(scene.uid, run.id).length === 0));
  await run.ended;
  t.equal((await scene.sandbox(['gc'])).status, 0);
  t.same(scene.traces(run.id), []);
});

testAsBoth(
  'a sandbox that is paused before changes hands when it goes on; and can be entered then',
  async (t, scene) => {
    const live = await makeLive(t, scene);
    t.equal((await scene.call(['pause', live.name])).status, 0);
    const early = isLetGo(namesIn(scene, live.run));
    await new Promise((done) => setTimeout(done, 1500));
    t.equal(isLetGo(namesIn(scene, live.run)), early, 'nothing changes while it is paused');
    t.equal((await scene.call(['unpause', live.name])).status, 0);
    t.ok(await until(() => isLetGo(namesIn(scene, live.run))));
    t.match(await live.exec([], ['echo', 'within']), { status: 0, stdout: 'within\n' });
  },
);

testAsBoth('a fork that is refused afterwards marks the run', async (t, scene) => {
  const many = 'sleep 2; for i in $(seq 40); do sleep 5 & done';
  const { result } = await scene.runJson(['-p', 'base-tools', '--pids', '20', '--', 'sh', '-c', many]);
  t.match(result, { status: 'failed', reason: 'exited', limits: { pidsHit: true } });
});
