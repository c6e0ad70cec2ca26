// Owns what holds for a run whose container is a daemon's child, whichever daemon: what passes, what is bounded, what dies when.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { newId, type Started, until } from '../system/scene.ts';
import { findProcesses, membersOf } from '../system/traces.ts';
import type { OwnEngine } from './ownDaemon.ts';

export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s*Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

export interface LiveRun {
  readonly id: string;
  readonly run: Started;
  /** Host pids of our init and the program. */
  readonly guests: readonly number[];
}

/** A run that waits, and says so. */
export async function startWaiting({ start, scene }: OwnEngine, engine: string): Promise<LiveRun> {
  const id = newId();
  const script = 'echo ready; exec sleep 60';
  const run = start(['run', '--engine', engine, '-p', 'base-tools', '--id', id, '--', 'sh', '-c', script]);
  if (!(await until(() => run.out().includes('ready')))) throw new Error(`it does not start: ${run.err()}`);
  return { id, run, guests: membersOf(scene.uid, id) };
}

/** Processes of ours for the run: not the guest's, not the caller's Node. */
export function oursOf({ id, guests }: LiveRun): { pid: number; command: string }[] {
  return findProcesses(id).filter(({ pid, command }) => !guests.includes(pid) && !/sandbox\.cjs/.test(command));
}

/** Declares the test of a whole verify: nothing fails, and at least `least` of its checks pass, the rest being admitted by the matrix. */
export function testVerify({ start }: OwnEngine, engine: string, least: number): void {
  test('verify finds nothing that the matrix does not admit', async (t) => {
    const { stdout, stderr, status } = await start(['verify', '--json', '--engine', engine, '-p', 'base-tools']).ended;
    const verified = JSON.parse(stdout) as { checks: { id: string; level: string; seen: string }[] };
    t.same(
      verified.checks.filter(({ level }) => level === 'FAIL').map(({ id, seen }) => `${id}: ${seen}`),
      [],
      stderr,
    );
    t.equal(status, 0);
    t.ok(verified.checks.filter(({ level }) => level === 'PASS').length >= least);
  });
}

/** Declares the tests of what passes through and what is bounded; limits one by one: matrix-cells.system.test.ts. */
export function testLimits(own: OwnEngine, engine: string): void {
  const { scene } = own;
  test('status, streams, arguments, environment and a host folder of any name are those that were given', async (t) => {
    scene.write('a,b "c"/file', 'inside');
    const folder = join(scene.home, 'a,b "c"');
    const args = ['a b', '', '$(id)', '"\'\n\\', '--help', '-', '💧'];
    const script = 'cat; cat file; touch new; printf "%s|" "$@"; tr "\\0" "\\n" </proc/$$/environ; exit 7';
    const words = ['--stdin', '--env', 'A=b c', '-w', `${folder}:ro`, '--', 'sh', '-c', script, 'sh', ...args];
    const { status, stdout, stderr } = await own.run(words, { input: Buffer.from('over the wall,') });
    t.equal(status, 7);
    t.ok(stdout.startsWith(`over the wall,inside${args.map((arg) => `${arg}|`).join('')}`), stdout);
    t.match(stderr, /^[^\n]*Read-only file system\n$/);
    t.match(stdout, /(^|\|)A=b c$/m);
    t.notMatch(stdout, /(^|\|)(HOSTNAME|PWD|container)=/m);
    t.equal((await own.run(['--', 'nonesuch'])).status, 127);
    t.equal((await own.run(['--', '/etc/passwd'])).status, 126);
  });

  test('memory is bounded, and an end by the kernel is told', async (t) => {
    const { status, result } = await own.runJson(['--memory', '64m', '--', 'tail', '/dev/zero']);
    t.equal(status, 137);
    t.equal(result.status, 'oom');
  });

  test('a timeout ends a program that ignores TERM', async (t) => {
    const args = ['--timeout', '1s', '--', 'sh', '-c', 'trap "" TERM; while :; do sleep 1; done'];
    t.equal((await own.run(args)).status, 124);
  });

  test('TERM reaches the program, which may still say something', async (t) => {
    const id = newId();
    const script = 'trap "echo ended; exit 3" TERM; echo ready; while :; do sleep 0.1; done';
    const run = own.start(['run', '--id', id, '--engine', engine, '-p', 'base-tools', '--', 'sh', '-c', script]);
    t.ok(await until(() => run.out().includes('ready')), 'it starts');
    run.child.kill('SIGTERM');
    const { status, stdout } = await run.ended;
    t.equal(status, 143);
    t.match(stdout, /^ended$/m);
    t.strictSame(await own.listLeft(id), []);
  });
}

/** Declares the tests of what is left when something is killed: `pieces` are commands of ours, by what they are to people. */
export function testKills(own: OwnEngine, engine: string, pieces: Readonly<Record<string, RegExp>>): void {
  test('the container dies with a supervisor that is killed', async (t) => {
    const { id, run, guests } = await startWaiting(own, engine);
    t.equal(guests.length, 2, 'our init and the program, and neither a client nor a script of ours');
    const record = readFileSync(join(own.scene.paths.run, 'records', id), 'utf8');
    process.kill(Number(record.split(' ')[2]), 'SIGKILL');
    t.ok(await until(() => !guests.some(isAlive)), 'all of them end');
    await run.ended;
    await own.start(['gc']).ended;
    t.strictSame(await own.listLeft(id), []);
  });

  for (const [name, command] of Object.entries(pieces)) {
    test(`the container dies when ${name} is killed`, async (t) => {
      const live = await startWaiting(own, engine);
      const found = oursOf(live).filter((entry) => command.test(entry.command) && !/supervise/.test(entry.command));
      t.equal(found.length, 1, found.map((entry) => entry.command).join('\n'));
      process.kill(found[0]?.pid ?? -1, 'SIGKILL');
      t.equal((await live.run.ended).status, 137);
      t.strictSame(await own.listLeft(live.id), []);
    });
  }

  test('when all of ours are killed at one moment, gc ends the container', async (t) => {
    const live = await startWaiting(own, engine);
    const ours = oursOf(live);
    t.ok(ours.length >= 4, ours.map(({ command }) => command).join('\n'));
    // The watch first: it would do its work in between.
    for (const { pid } of ours.sort((a, b) => Number(/watch/.test(b.command)) - Number(/watch/.test(a.command))))
      process.kill(pid, 'SIGKILL');
    await live.run.ended;
    await own.start(['gc']).ended;
    t.notOk(live.guests.some(isAlive));
    t.strictSame(await own.listLeft(live.id), []);
  });
}
