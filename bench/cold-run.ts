// Owns the cold-run benchmark: `true` from the prompt, ours beside crun, podman and bwrap, in one call.
// node bench/cold-run.ts [--rounds N] [--json]; as a plain user that `sandbox setup --user` prepared.
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { $ } from 'zx';
import { crunPeer, listPeers, type Peer } from './peers.ts';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '6' }, json: { type: 'boolean' } } });
const rounds = Number(values.rounds);
const perRound = 10;
$.verbose = false;

interface Times {
  readonly name: string;
  readonly ms: number[];
}

/** Runs each command `perRound` times, stdio piped, with `gapMs` before each, and gives all times in ms. */
async function measure(peer: Peer, gapMs: number, folder: string): Promise<number[]> {
  const file = join(folder, 'times.json');
  const gap = gapMs === 0 ? [] : ['--prepare', `sleep ${gapMs / 1000}`];
  // hyperfine joins the leaf itself where the peer runs in one: the runs measured inherit it.
  const join_ = peer.cgroups.map((path) => `echo 0 > ${path}/cgroup.procs`).join('\n');
  await $`sh -c ${`${join_}\nexec "$@"`} sh hyperfine -N --output=pipe --warmup 1 --runs ${perRound} ${gap} --export-json ${file} ${peer.command}`.quiet();
  const { results } = JSON.parse(readFileSync(file, 'utf8')) as { results: { times: number[] }[] };
  return (results[0]?.times ?? []).map((seconds) => seconds * 1000);
}

function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

// Rounds alternate between the commands, so that a noisy neighbour meets all of them.
async function compare(peers: readonly Peer[], gapMs: number, folder: string): Promise<Times[]> {
  const all = peers.map(({ name }): Times => ({ name, ms: [] }));
  for (let round = 0; round < rounds; round++) {
    for (const [i, peer] of peers.entries()) {
      process.stderr.write(`\r\u001b[K${gapMs} ms apart, round ${round + 1} of ${rounds}: ${peer.name}`);
      all[i]?.ms.push(...(await measure(peer, gapMs, folder)));
    }
  }
  process.stderr.write('\r\u001b[K');
  for (const { ms } of all) ms.sort((a, b) => a - b);
  return all;
}

function report(title: string, times: readonly Times[], ours: string): void {
  const base = median(times.find(({ name }) => name === ours)?.ms ?? []);
  const bare = median(times.find(({ name }) => name === 'crun run')?.ms ?? []);
  console.log(`\n${title} (${rounds * perRound} runs each, stdio piped, ms)`);
  console.log('                         min   median      p90   ours is');
  for (const { name, ms } of times) {
    const [min = 0, p90 = 0] = [ms[0], ms[Math.floor(ms.length * 0.9)]];
    const mid = median(ms);
    const ratio =
      name === ours ? '' : mid < base ? `${(base / mid).toFixed(2)}x slower` : `${(mid / base).toFixed(1)}x faster`;
    console.log(
      `  ${name.padEnd(20)} ${min.toFixed(1).padStart(6)}  ${mid.toFixed(1).padStart(7)}  ${p90.toFixed(1).padStart(7)}   ${ratio}`,
    );
  }
  console.log(`  cofferdam / crun run = ${(base / bare).toFixed(2)}`);
}

const folder = mkdtempSync(join(tmpdir(), 'cofferdam-bench-'));
mkdirSync(join(folder, 'bundle'), { mode: 0o755 });
const crun = await crunPeer(folder);
try {
  const peers = [...(await listPeers(folder)), crun.peer];
  const results = [];
  for (const gapMs of [0, 200]) {
    const times = await compare(peers, gapMs, folder);
    results.push({ gapMs, times });
    if (values.json !== true) report(gapMs === 0 ? 'back to back' : '200 ms apart', times, 'cofferdam');
  }
  if (values.json === true) console.log(JSON.stringify(results));
  writeFileSync(join(folder, 'done'), '');
} finally {
  crun.remove();
  await $`podman unshare rm -rf ${folder}`.quiet();
}
