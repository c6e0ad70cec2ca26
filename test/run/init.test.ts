// Tests PID 1 of a sandbox by itself, outside of one: statuses, signals to the whole group, and not outliving who reads its output.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runToolSync } from '../../lib/base/exec.ts';

const native = join(import.meta.dirname, '../../lib/run/native');
const flags = ['-p', 'SIGKILL', '-g', '--'];

function build(folder: string): string {
  runToolSync('/usr/bin/make', ['-C', native, `OUT=${folder}`, `${folder}/init`], { timeoutMs: 120_000 });
  return join(folder, 'init');
}

async function endOf(child: ChildProcess): Promise<{ status: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('exit', (status, signal) => done({ status, signal }));
  });
}

test('init', async (t) => {
  const init = build(t.testdir());
  const start = (...words: readonly string[]) => spawn(init, words, { stdio: ['ignore', 'pipe', 'pipe'] });

  await t.test('ends as its program ends', async (u) => {
    for (const [script, status] of [
      ['exit 0', 0],
      ['exit 7', 7],
      ['kill -9 $$', 137],
      // The orphan is reaped and is not taken for the program.
      ['(exit 3) & (sleep 0.01; exit 4) & exit 5', 5],
    ] as const)
      u.same(await endOf(start(...flags, 'sh', '-c', script)), { status, signal: null }, script);
    u.same(await endOf(start(...flags, '/no/such/program')), { status: 127, signal: null });
    u.same(await endOf(start(...flags, '/')), { status: 126, signal: null });
  });

  await t.test('passes a signal on to the group of its program', async (u) => {
    const child = start(...flags, 'sh', '-c', 'trap "exit 9" TERM; echo up; while :; do sleep 0.05; done');
    child.stdout?.once('data', () => child.kill('SIGTERM'));
    u.same(await endOf(child), { status: 9, signal: null });
  });

  await t.test('what changes hands is a signal like any other when it comes from beside it', async (u) => {
    const child = start(...flags, 'sh', '-c', 'trap "exit 9" RTMAX; echo up; while :; do sleep 0.05; done');
    child.stdout?.once('data', () => process.kill(child.pid ?? 0, 64));
    u.same(await endOf(child), { status: 9, signal: null });
  });

  await t.test('refuses words that it does not know', async (u) => {
    for (const words of [[], ['sh'], ['-p', 'SIGTERM', '-g', '--', 'true'], flags])
      u.same(await endOf(start(...words)), { status: 125, signal: null }, words.join(' '));
  });

  await t.test('starts nothing when the readers of both its outputs are gone; one that reads is enough', async (u) => {
    const file = join(u.testdir(), 'started');
    u.equal(await runUnread(init, file, '2>&1 |'), 125);
    u.notOk(existsSync(file));
    u.equal(await runUnread(init, file, '|'), 0);
    u.ok(existsSync(file));
  });
});

/** Its status when whoever reads its stdout (and with `2>&1 |` its stderr) ended before it began. */
async function runUnread(init: string, file: string, pipe: '|' | '2>&1 |'): Promise<number> {
  const script = `exec 9>&1; ( sleep 0.3; "$1" -p SIGKILL -g -- sh -c ': >"$0"' "$2"; echo $? >&9 ) ${pipe} :`;
  const child = spawn('/bin/sh', ['-c', script, 'sh', init, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await endOf(child);
  return Number(said);
}
