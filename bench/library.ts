// Owns the library benchmark: from the call to the first byte that a program wrote, ours beside what a Node program would start.
// node bench/library.ts [--runs N]; as a plain user that `sandbox setup --user` prepared.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { $ } from 'zx';
import { createSandbox, run } from '../lib/sdk/index.ts';
import { median } from './compare.ts';
import { listPeers, removePeers } from './peers.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '20' } } });
const runs = Number(values.runs);
const host = { hostEnv: process.env, cwd: process.cwd() };
const echo = ['/bin/echo', 'x'];
$.verbose = false;

/** Milliseconds to the first byte of a command line without quoting in it. */
async function firstByte(command: string): Promise<void> {
  const [file = '', ...args] = command.split(' ');
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'ignore'] });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  void closed.then(() => undefined);
}

async function measure(name: string, act: () => Promise<void>): Promise<number> {
  const ms: number[] = [];
  await act();
  for (let i = 0; i < runs; i++) {
    const began = performance.now();
    await act();
    ms.push(performance.now() - began);
  }
  ms.sort((a, b) => a - b);
  console.log(`  ${name.padEnd(44)} ${(ms[0] ?? 0).toFixed(1).padStart(7)}  ${median(ms).toFixed(1).padStart(7)}`);
  return median(ms);
}

function check(stdout: string): void {
  if (stdout !== 'x\n') throw new Error(`said ${JSON.stringify(stdout)}`);
}

const folder = mkdtempSync(join(tmpdir(), 'cofferdam-bench-'));
const live = await createSandbox({ ...host, profile: 'base-tools' });
try {
  await live.start();
  const peers = (await listPeers(folder)).filter(({ name }) => name === 'podman run' || name === 'srt');
  console.log(`from the call to the first byte of echo (${runs} each, ms)\n${' '.repeat(50)}min   median`);
  const one = await measure('run(): a sandbox of its own, whole result', async () =>
    check((await run({ ...host, profile: 'base-tools', command: echo })).stdout),
  );
  const entered = await measure('sandbox.exec() in one that lives', async () => check((await live.exec(echo)).stdout));
  await measure('createSandbox(), start(), exec(), remove()', async () => {
    const made = await createSandbox({ ...host, profile: 'base-tools' });
    await made.start();
    check((await made.exec(echo)).stdout);
    await made.remove({ force: true });
  });
  for (const { name, command } of peers) {
    const theirs = await measure(name, () => firstByte(command.replace('/bin/true', echo.join(' '))));
    console.log(`    run() is ${(theirs / one).toFixed(1)}x, exec() ${(theirs / entered).toFixed(1)}x faster`);
  }
} finally {
  await live.remove({ force: true });
  await removePeers(folder);
}
