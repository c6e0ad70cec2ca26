// Owns what tests of a sandbox's life share: making one that goes with its test, and looking at it from outside.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { logsFolder, namesFolder, sandboxesFolder } from '../../lib/run/life/sandbox.ts';
import { type Ended, newId, type Scene, until } from './scene.ts';
import { readSoft } from './traces.ts';

export interface Made {
  readonly id: string;
  readonly name: string;
}

/** Names of sandboxes that are this test file's own: root shares its folders with the host. */
export function newName(): string {
  return newId();
}

/** Makes one, started unless told otherwise; it goes with the test. */
export async function make(t: Test, scene: Scene, args: readonly string[] = [], start = true): Promise<Made> {
  const name = newName();
  const flags = start ? ['--start'] : [];
  const { status, stdout, stderr } = await scene.call([
    'create',
    '-p',
    'base-tools',
    '--name',
    name,
    ...flags,
    ...args,
  ]);
  if (status !== 0) throw new Error(stderr);
  t.teardown(() => scene.call(['rm', '-f', name]));
  return { id: stdout.trim(), name };
}

export interface State {
  readonly status: string;
  readonly exitCode: number | null;
  readonly reason: string | null;
  readonly pid: number;
}

export async function inspect(scene: Scene, { name }: Made): Promise<{ run: string; starts: number; state: State }> {
  const { stdout, stderr } = await scene.call(['inspect', name]);
  const [found] = JSON.parse(stdout || '[]') as { run: string; starts: number; state: State }[];
  if (found === undefined) throw new Error(stderr);
  return found;
}

/** SIGKILL, and waits until it is dead: what is asked next would otherwise see it run still. */
export async function killSupervisor(scene: Scene, made: Made): Promise<void> {
  const { pid } = (await inspect(scene, made)).state;
  process.kill(pid, 'SIGKILL');
  // A zombie is dead already; who reaps it is not ours to say.
  const isDead = () => /\) [ZX] |^$/.test(readSoft(`/proc/${pid}/stat`));
  if (!(await until(isDead))) throw new Error(`the supervisor ${pid} does not die`);
}

export function refused(t: Test, ended: Ended, text: RegExp): void {
  t.equal(ended.status, 125, ended.stderr);
  t.match(ended.stderr, text);
  t.equal(ended.stdout, '');
}

export function logText(scene: Scene, { id }: Made): string {
  const folder = logsFolder(scene.paths, id);
  return readdirSync(folder)
    .map((name) => readSoft(join(folder, name)))
    .join('');
}

export function listIds(scene: Scene): string[] {
  const folder = sandboxesFolder(scene.paths);
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('s')) : [];
}

/** Names of sandboxes that begin with `base`. */
export function listNamed(scene: Scene, base: string): string[] {
  const folder = namesFolder(scene.paths);
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith(base)) : [];
}

/** Removes those: what a test that failed in the middle has left. */
export async function removeNamed(scene: Scene, base: string): Promise<void> {
  for (const name of listNamed(scene, base)) await scene.call(['rm', '-f', name]);
}
