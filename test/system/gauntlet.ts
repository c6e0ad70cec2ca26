// Owns killing one run per point and holding what stands on the host afterwards against what stood there before.
import type { Test } from 'tap';
import { awaitDeath, countHost, isReceipt } from './hostCount.ts';
import { describePoint, type KillPoint, killThere } from './killPoints.ts';
import type { LoneHost } from './loneHost.ts';

/** What is started and killed, over and over. */
export interface Way {
  /** Made ready for run `id`, outside of what is killed. */
  readonly prepare?: (id: string) => Promise<void>;
  /** All words for run `id`, to be killed there; unkilled it must end soon. */
  readonly words: (id: string, point?: KillPoint) => string[];
  /** Takes away what a killed run may keep on purpose. */
  readonly settle?: (id: string) => Promise<void>;
  /** What a gc before that may call stuck, because a person must decide. */
  readonly stuck?: RegExp;
}

/** Looking at the whole host for each point would be most of the time. */
const batchSize = 16;

/** To its end, unkilled: the first makes plans, keys and folders that stay. Gives what stands on the host then. */
export async function warmUp(host: LoneHost, way: Way): Promise<string[]> {
  const id = host.newId();
  await way.prepare?.(id);
  const ended = await host.asRoot(host.asCaller(way.words(id)));
  if (ended.status !== 0) throw new Error(`the run fails, unkilled: ${ended.stdout}${ended.stderr}`);
  await way.settle?.(id);
  await freeAll(host);
  return countAll(host);
}

async function freeAll(host: LoneHost, stuck?: RegExp): Promise<void> {
  // As it will be in two minutes: what was being written then is nobody's.
  const { status, stdout, stderr } = await host.callLater(['gc', '--json']);
  const found =
    status === 0 || status === 1 ? (JSON.parse(stdout) as { stuck: { id: string; why: string }[] }) : undefined;
  const unexpected = found?.stuck.filter(({ why }) => stuck?.test(why) !== true);
  if (unexpected?.length !== 0) throw new Error(`sandbox gc: ${status} ${stdout}${stderr}`);
}

function countAll(host: LoneHost): string[] {
  return countHost(host).filter((line) => !isReceipt(host, line));
}

/** A line for each thing that came or went. */
export function difference(before: readonly string[], after: readonly string[]): string[] {
  const more = after.filter((line) => !before.includes(line)).map((line) => `left: ${line}`);
  // A mount goes here, too, when somebody on the real host removes the folder below it (mount_namespaces(7)).
  const gone = before.filter((line) => !after.includes(line) && !line.startsWith('mount '));
  return [...more, ...gone.map((line) => `gone: ${line}`)];
}

async function killBatch(t: Test, host: LoneHost, way: Way, points: readonly KillPoint[]) {
  const ids: string[] = [];
  let killed = 0;
  for (const point of points) {
    const id = host.newId();
    ids.push(id);
    await way.prepare?.(id);
    if (await killThere(host, point, way.words(id, point))) killed++;
    else t.comment(`not reached: ${describePoint(point)}`);
    const alive = await awaitDeath(host);
    if (alive.length === 0) continue;
    t.fail(`somebody outlives: ${describePoint(point)}`, { alive: alive.map(({ words }) => words) });
    // So that the next point is told by its own survivors.
    await host.asRoot(['/bin/kill', '-9', ...alive.map(({ pid }) => pid)]);
  }
  return { ids, killed };
}

export interface Gauntlet {
  readonly host: LoneHost;
  readonly way: Way;
  readonly points: readonly KillPoint[];
  /** What warmUp gave. */
  readonly before: readonly string[];
  /** Killed runs that one gc frees together. One: what a run frees of earlier ones on its way makes its processes other than traced. */
  readonly atOnce?: number;
}

/** Kills a run at each point; gives how many points were reached. */
export async function runGauntlet(
  t: Test,
  { host, way, points, before, atOnce = batchSize }: Gauntlet,
): Promise<number> {
  let reached = 0;
  for (let first = 0; first < points.length; first += atOnce) {
    const batch = points.slice(first, first + atOnce);
    const { ids, killed } = await killBatch(t, host, way, batch);
    reached += killed;
    await freeAll(host, way.stuck);
    for (const id of ids) await way.settle?.(id);
    const wrong = difference(before, countAll(host));
    const where = batch.map((point, at) => `${ids[at]}: ${describePoint(point)}`);
    t.strictSame(wrong, [], `points ${first + 1} to ${first + batch.length} leave nothing`, { where });
  }
  return reached;
}
