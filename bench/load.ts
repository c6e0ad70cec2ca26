// Owns the load benchmark: throughput at concurrency 8, latency beside many live sandboxes, memory of an idle one.
// node bench/load.ts [--runs N] [--live 1,100,500]; as a plain user that `sandbox setup --user` prepared.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { $ } from 'zx';
import { crunPeer, type LivePeer, listPeers, type Peer, removePeers } from './peers.ts';

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '200' }, live: { type: 'string', default: '1,100,500' } },
});
const runs = Number(values.runs);
const counts = values.live.split(',').map(Number);

/** Runs a command line (no quoting in it) with piped stdio; `n` takes the place of a fixed container name. */
async function runOnce(peer: Peer, n: number): Promise<void> {
  const words = peer.command.split(' ').map((word) => (word === 'bench' ? `bench-${n}` : word));
  const joined = peer.cgroups.map((path) => `echo 0 > ${path}/cgroup.procs; `).join('');
  const [file = '', ...args] = joined === '' ? words : ['/bin/sh', '-c', `${joined}exec "$@"`, 'sh', ...words];
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.resume();
  const [status] = (await once(child, 'close')) as [number | null];
  if (status !== 0) throw new Error(`${peer.name} ended with ${status}`);
}

async function throughput(peer: Peer): Promise<number> {
  await runOnce(peer, 0);
  const began = performance.now();
  let next = 1;
  const lane = async () => {
    while (next <= runs) await runOnce(peer, next++);
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  return performance.now() - began;
}

/**
 * Median of `count` runs, ms: one right after the other (what the kernel still does for the last one counts, too), or apart. By hyperfine:
 * this process grows with the sandboxes it holds, and so does the time of its forks.
 */
async function latency(peer: Peer, count: number, pause: readonly string[]): Promise<number> {
  const times = join(folder, 'latency.json');
  await $`hyperfine -N --output=pipe --warmup 2 --runs ${count} ${pause} --export-json ${times} ${peer.command}`.quiet();
  const { results } = JSON.parse(readFileSync(times, 'utf8')) as { results: { median: number }[] };
  return (results[0]?.median ?? 0) * 1000;
}

function available(): number {
  return Number(/MemAvailable:\s+(\d+)/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1]) * 1024;
}

/** Starts sandboxes that wait on their stdin, and resolves when each has said so and been at rest for a while. */
async function startLive({ waiting: [file = '', ...args] }: LivePeer, count: number): Promise<ChildProcess[]> {
  const live: ChildProcess[] = [];
  const start = async () => {
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    live.push(child);
    await once(child.stdout, 'data');
  };
  while (live.length < count) await Promise.all(Array.from({ length: Math.min(8, count - live.length) }, start));
  // What is measured is sandboxes that live, not the end of their start: streams give their threads back after a second (decision 0002).
  await setTimeout(settled);
  return live;
}

async function stopLive(live: readonly ChildProcess[]): Promise<void> {
  await Promise.all(
    live.map(async (child) => {
      const closed = once(child, 'close');
      child.stdin?.end('\n');
      await closed;
    }),
  );
}

/** After the last start, ms. */
const settled = 3000;
/** Sandboxes whose memory is looked at. */
const idle = 40;

function perOne(before: number, count: number): string {
  const each = (before - available()) / count / 1024 / 1024;
  return each < 1 ? 'less than 1 MiB' : `${each.toFixed(1)} MiB`;
}

/** Last of all: what they leave to the host to clear away would be in our figures. */
async function showPeersBeside(peers: readonly Peer[]): Promise<void> {
  for (const peer of peers)
    console.log(`    ${peer.name.padEnd(10)} ${(await latency(peer, 20, [])).toFixed(1).padStart(6)}`);
}

/** Further words for hyperfine. */
const ways: readonly (readonly string[])[] = [[], ['--prepare', 'sleep 0.2']];

const folder = mkdtempSync(join(tmpdir(), 'cofferdam-bench-'));
mkdirSync(join(folder, 'bundle'), { mode: 0o755 });
const crun = await crunPeer(folder);
try {
  const peers = await listPeers(folder);
  const [ours, ...others] = peers;
  if (ours === undefined) throw new Error('a peer is missing');
  console.log(`${runs} runs of true at concurrency 8 (ms in all; per second; ours is)`);
  const total = new Map<Peer, number>();
  for (const peer of [ours, crun.peer, ...others]) {
    const ms = await throughput(peer);
    total.set(peer, ms);
    const ratio = ms / (total.get(ours) ?? ms);
    const columns = [
      ms.toFixed(0).padStart(7),
      ((runs / ms) * 1000).toFixed(1).padStart(7),
      ratio.toFixed(2).padStart(7),
    ];
    console.log(`  ${peer.name.padEnd(12)} ${columns.join('  ')}x`);
  }

  console.log(
    '\nlatency of one run beside live sandboxes of ours (ms): back to back, 200 ms apart; memory of an idle one',
  );
  const alone: number[] = [];
  for (const [at, count] of counts.entries()) {
    const before = available();
    const live = await startLive(ours, count);
    const each = perOne(before, count);
    const shown: string[] = [];
    for (const [way, pause] of ways.entries()) {
      const ms = await latency(ours, 100, pause);
      alone[way] ??= ms;
      shown.push(`${ms.toFixed(1).padStart(6)}  ${(ms / alone[way]).toFixed(2)}x`);
    }
    // Less than a hundred are lost in what else the host does with its memory.
    console.log(`  ${String(count).padStart(4)} live  ${shown.join('  ')}${count < 100 ? '' : `  ${each}`}`);
    if (at === counts.length - 1) await showPeersBeside(others);
    await stopLive(live);
  }

  console.log(`\nmemory of an idle one of ${idle}`);
  for (const peer of others) {
    await setTimeout(settled);
    const before = available();
    const live = await startLive(peer, idle);
    console.log(`  ${peer.name.padEnd(12)} ${perOne(before, idle)}`);
    await stopLive(live);
  }
} finally {
  crun.remove();
  await removePeers(folder);
}
