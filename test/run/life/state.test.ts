// Owns the state of a sandbox: what each trace of its run makes of it, and which trace goes first.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { runFolders } from '../../../lib/run/folders.ts';
import { readState, resultFile } from '../../../lib/run/life/state.ts';
import { waitSandbox } from '../../../lib/run/life/wait.ts';
import { awaitRun } from '../../../lib/run/receipt/awaited.ts';
import { makeSandbox, setPaths, writeLive, writeResult } from './sandboxScene.ts';

const id = 's0123456789abcdef';
const run = `${id}-1`;
const started = { id, run, starts: 1 };
const never = new AbortController().signal;
const deadPid = 2 ** 22 + 1;

test('a sandbox without a run is created', async (t) => {
  const paths = setPaths(t);
  const sandbox = await makeSandbox(paths);
  t.equal(readState(paths, sandbox).status, 'created');
  await t.rejects(waitSandbox(paths, sandbox, never), { code: 'SANDBOX_STATE' });
});

test('one whose supervisor lives runs, whatever an older run left', async (t) => {
  const paths = setPaths(t);
  const sandbox = await makeSandbox(paths, started);
  writeLive(paths, run);
  writeResult(paths, sandbox, run);
  t.match(readState(paths, sandbox), { status: 'running', live: { pid: process.pid } });
});

test('one whose supervisor left its line has exited, with what the line says', async (t) => {
  const paths = setPaths(t);
  const sandbox = await makeSandbox(paths, started);
  writeResult(paths, sandbox, run);
  t.match(readState(paths, sandbox), { status: 'exited', record: { exitCode: 7, reason: 'exited' } });
  writeLive(paths, run, deadPid);
  t.equal(readState(paths, sandbox).status, 'exited', 'also before its record is freed');
  t.equal((await waitSandbox(paths, sandbox, never)).exitCode, 7);
});

test('one whose supervisor died without a line is lost, also with the host', async (t) => {
  const paths = setPaths(t);
  const sandbox = await makeSandbox(paths, started);
  t.equal(readState(paths, sandbox).status, 'lost', 'after a reboot nothing of the run is there');
  writeLive(paths, run, deadPid);
  for (const text of ['', '1 half', 'fail\tLAUNCH_FAILED\tno\tremedy\n', `1 ${id}-2 ${'a'.repeat(64)}\n`]) {
    writeFileSync(resultFile(paths, id, run), text);
    t.equal(readState(paths, sandbox).status, 'lost', JSON.stringify(text));
  }
  await t.rejects(waitSandbox(paths, sandbox, never), { code: 'RUN_LOST' });
});

test('a record of another boot is no life', async (t) => {
  const paths = setPaths(t);
  const sandbox = await makeSandbox(paths, started);
  const { records } = runFolders(paths);
  mkdirSync(records, { recursive: true });
  const boot = '00000000-0000-0000-0000-000000000000';
  writeFileSync(join(records, run), `1 ${run} ${process.pid} 1 ${boot} ${'a'.repeat(64)}\n`);
  t.equal(readState(paths, sandbox).status, 'lost');
});

test('one that is being started is created until its supervisor says otherwise', async (t) => {
  const paths = setPaths(t);
  const sandbox = await makeSandbox(paths, started);
  const awaited = awaitRun(runFolders(paths).awaited, run);
  t.equal(readState(paths, sandbox).status, 'created');
  writeLive(paths, run);
  t.equal(readState(paths, sandbox).status, 'running');
  awaited.release();
});

test('waiting ends with the run, and when it is cancelled', async (t) => {
  const paths = setPaths(t);
  const sandbox = await makeSandbox(paths, started);
  writeLive(paths, run);
  await t.rejects(waitSandbox(paths, sandbox, AbortSignal.abort()), { code: 'SANDBOX_STATE' });
  const waited = waitSandbox(paths, sandbox, never);
  writeResult(paths, sandbox, run);
  writeLive(paths, run, deadPid);
  t.equal((await waited).exitCode, 7);
});
