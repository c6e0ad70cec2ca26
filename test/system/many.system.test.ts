// Owns the proof that many runs at once clash in nothing and leave nothing, however they end.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { locateCgroups } from '../../lib/engine/cgroupPlace.ts';
import { runFolders } from '../../lib/run/folders.ts';
import { declareNeeds } from './needs.ts';
import { type Ended, newId, type Scene, sandboxFile, testAsBoth, until } from './scene.ts';
import { findProcesses, membersOf, readSoft } from './traces.ts';

declareNeeds('crun', 'base-tools');

const atOnce = 20;
/** One after the other in each of the twenty lanes, by root and by the plain user: together 100 times twenty, 2000 starts. */
const each = 50;

/** All that there is of runs whose id begins with `prefix`: other runs on this machine are none of ours. */
function standing({ paths, uid }: Scene, prefix: string): string[] {
  const { records, runs, slots, awaited } = runFolders(paths);
  const names = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);
  const leaves = locateCgroups(uid).folders.map(({ path }) => path);
  return [
    ...[records, runs, awaited, ...leaves].flatMap((folder) =>
      names(folder)
        .filter((name) => name.startsWith(prefix))
        .map((name) => join(folder, name)),
    ),
    ...names(slots).filter((name) => readSoft(join(slots, name)).startsWith(prefix)),
    ...readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .filter((line) => line.includes(prefix)),
    ...findProcesses(prefix).map(({ pid, command }) => `process ${pid}: ${command}`),
  ];
}

const ends = ['exit', 'timeout', 'TERM', 'KILL'] as const;
type End = (typeof ends)[number];

const scripts: Readonly<Record<End, string>> = {
  exit: 'echo "$SANDBOX_RUN_ID"; exit 7',
  timeout: 'echo "$SANDBOX_RUN_ID"; exec sleep 60',
  // A daemon of its own session goes with the rest.
  TERM: '(setsid sleep 60 &); exec sleep 60',
  KILL: '(setsid sleep 60 &); exec sleep 60',
};

interface Case {
  readonly end: End;
  readonly id: string;
  readonly ended: Ended;
}

/** One run to its end. Signals come at some moment of its start, or when it runs. */
async function runOne(scene: Scene, id: string, end: End, at: number): Promise<Case> {
  const timeout = end === 'timeout' ? ['--timeout', '50ms'] : ['--timeout', '30s'];
  const words = ['run', '--id', id, '-p', 'base-tools', ...timeout, '--', 'sh', '-c', scripts[end]];
  const started = scene.spawn(sandboxFile, words);
  if (end === 'TERM' || end === 'KILL') {
    await new Promise((done) => setTimeout(done, at));
    started.child.kill(`SIG${end}`);
  }
  return { end, id, ended: await started.ended };
}

function checkOne(t: Test, { end, id, ended }: Case): void {
  const { status, signal, stdout, stderr } = ended;
  const said = `${end} ${id}: ${status} ${signal} ${stderr}`;
  if (end === 'KILL') t.equal(signal, 'SIGKILL', said);
  // Before the launcher takes signals it holds nothing, and dies of it.
  if (end === 'TERM') t.ok(status === 143 || signal === 'SIGTERM', said);
  if (end === 'exit') t.strictSame([status, stdout, stderr], [7, `${id}\n`, ''], said);
  if (end === 'timeout') t.equal(status, 124, said);
}

/** A launcher that was killed between making its record and writing it: gc takes that for one at work, for 10 s. */
function isUnwritten(path: string): boolean {
  return path.includes('/records/') && statSync(path, { throwIfNoEntry: false })?.size === 0;
}

testAsBoth(
  'twenty starts and stops at once, fifty times, with four kinds of end: one gc later nothing is left',
  async (t, scene) => {
    const prefix = newId();
    await scene.run(['-p', 'base-tools', '--timeout', '30s', '--', 'true']);
    const lane = async (n: number) => {
      const cases: Case[] = [];
      for (let start = 0; start < each; start++) {
        const end = ends[(n + start) % ends.length] ?? 'exit';
        // From the first line of the launcher to a guest that runs.
        cases.push(await runOne(scene, `${prefix}-${n}-${start}`, end, ((n * each + start) * 7) % 240));
      }
      return cases;
    };
    const cases = (await Promise.all(Array.from({ length: atOnce }, (_, n) => lane(n)))).flat();
    for (const one of cases) checkOne(t, one);
    t.strictSame(
      ends.map((end) => cases.filter((one) => one.end === end).length),
      ends.map(() => (each * atOnce) / ends.length),
    );
    t.ok(await until(() => findProcesses(prefix).length === 0), 'every process is dead');
    const before = standing(scene, prefix);
    t.comment(`${cases.length} runs left ${before.length} things for gc, all of launchers that were killed`);
    t.ok(before.length > 0, 'control: some were killed while they held something');
    if (standing(scene, prefix).some(isUnwritten)) await new Promise((done) => setTimeout(done, 10_500));
    const gc = await scene.call(['gc', '--json']);
    t.match(JSON.parse(gc.stdout), { stuck: [], quarantined: [] }, gc.stderr);
    t.strictSame(standing(scene, prefix), []);
  },
);

testAsBoth(
  'a hundred runs without --id have a hundred ids, and twenty at one time twenty pairs of host ids',
  async (t, scene) => {
    const script = 'echo "$SANDBOX_RUN_ID"; cat /proc/self/uid_map; cat';
    const ids = new Set<string>();
    for (let round = 0; round < 5; round++) {
      const started = Array.from({ length: atOnce }, () =>
        scene.spawn(sandboxFile, ['run', '-i', '-p', 'base-tools', '--', 'sh', '-c', script], { input: 'open' }),
      );
      const isUp = (one: (typeof started)[number]) => one.out().toString().trim().split('\n').length >= 3;
      t.ok(await until(() => started.every(isUp)), 'all live at one time');
      // Inside, the second column is what an id is outside; root's is a subordinate one or, for a plain user, the caller.
      const programs = started.map(
        (one) => one.out().toString().trim().split('\n').at(-1)?.trim().split(/ +/)[1] ?? '',
      );
      t.equal(new Set(programs).size, atOnce, programs.join(' '));
      for (const one of started) one.child.stdin?.end();
      for (const { status, stdout, stderr } of await Promise.all(started.map((one) => one.ended))) {
        t.strictSame([status, stderr], [0, '']);
        ids.add(stdout.split('\n')[0] ?? '');
      }
    }
    t.equal(ids.size, 5 * atOnce);
    for (const id of ids) t.strictSame(scene.traces(id), []);
  },
);

testAsBoth('refuses all but one of those who ask for one id at one time', async (t, scene) => {
  const ways: readonly (readonly string[])[] = [[], [], ['--json'], ['--label', 'way=node']];
  await scene.run(['-p', 'base-tools', '--', 'true']);
  for (let round = 0; round < 3; round++) {
    const id = newId();
    const started = ways.map((way) =>
      scene.spawn(sandboxFile, ['run', '--id', id, '-p', 'base-tools', ...way, '--', 'sleep', '5']),
    );
    // The refused end at once; the one that won is ended when all others have.
    const isOver = ({ child }: (typeof started)[number]) => child.exitCode !== null || child.signalCode !== null;
    t.ok(await until(() => started.filter(isOver).length === ways.length - 1 && membersOf(scene.uid, id).length > 0));
    const winner = started.find((one) => !isOver(one));
    winner?.child.kill('SIGTERM');
    for (const [n, one] of started.entries()) {
      const { status, stdout, stderr } = await one.ended;
      if (one === winner) t.equal(status, 143, stderr);
      else if (ways[n]?.[0] === '--json') t.match(JSON.parse(stdout), { error: { code: 'ID_IN_USE' } });
      else t.match([status, stderr], [125, /exists/]);
    }
    t.strictSame(scene.traces(id), []);
  }
});
