// Owns measuring commands against each other: alternating rounds of hyperfine, medians, ratios.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { $ } from 'zx';
import type { Peer } from './peers.ts';

const perRound = 10;

export interface Times {
  readonly name: string;
  /** Ascending. */
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

/** The middle of ascending numbers. */
export function median(sorted: readonly number[]): number {
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** Rounds alternate between the commands, so that a noisy neighbour meets all of them. */
export async function compare(
  peers: readonly Peer[],
  { rounds, gapMs, folder }: { rounds: number; gapMs: number; folder: string },
): Promise<Times[]> {
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

/** A table of them, and how many times the first is as slow as `bare`. */
export function report(title: string, times: readonly Times[], bare: string): void {
  const medianOf = (name: string | undefined) => median(times.find((one) => one.name === name)?.ms ?? []);
  const ours = times[0]?.name;
  const base = medianOf(ours);
  console.log(`\n${title} (${times[0]?.ms.length} runs each, stdio piped, ms)`);
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
  console.log(`  ${ours} / ${bare} = ${(base / medianOf(bare)).toFixed(2)}`);
}
