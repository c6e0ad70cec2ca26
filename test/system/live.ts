// Owns the stage of tests in live sandboxes: one that is made for a test, and gone after it.
import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { namesFolder, sandboxFolder } from '../../lib/run/life/sandbox.ts';
import { type Ended, newId, type Options, type Scene, type Started, sandboxFile } from './scene.ts';
import { leavesOf, readSoft } from './traces.ts';

export interface Live {
  readonly name: string;
  readonly id: string;
  /** Id of its run. */
  readonly run: string;
  readonly runFolder: string;
  /** `sandbox exec OPTIONS NAME -- COMMAND` to its end. */
  exec(options: readonly string[], command: readonly string[], io?: Options): Promise<Ended>;
  /** The same, started. */
  startExec(options: readonly string[], command: readonly string[], io?: Options): Started;
  /** Ids of the executions whose control groups stand, in any hierarchy. */
  groups(): string[];
  /** Ids of the executions that have an entry. */
  entries(): string[];
  /** Host pids of all processes in the sandbox and its executions. */
  members(): number[];
}

function subgroups(leaf: string): string[] {
  if (!existsSync(leaf)) return [];
  return readdirSync(leaf, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
}

/** A sandbox that runs until the test has ended. `first`: it is entered once, so that the next goes the short way. */
export async function makeLive(
  t: Test,
  scene: Scene,
  options: readonly string[] = [],
  command: readonly string[] = [],
): Promise<Live> {
  const name = `t${newId().slice(-12)}`;
  const made = await scene.call(['create', '-p', 'base-tools', '--name', name, '--start', ...options, ...command]);
  if (made.status !== 0) throw new Error(`no sandbox: ${made.stderr}`);
  const id = readFileSync(join(namesFolder(scene.paths), name), 'utf8').trim();
  const { run } = JSON.parse(readFileSync(join(sandboxFolder(scene.paths, id), 'sandbox.json'), 'utf8')) as {
    run: string;
  };
  t.teardown(async () => {
    const removed = await scene.call(['rm', '-f', name]);
    if (removed.status !== 0) throw new Error(`not removed: ${removed.stderr}`);
    const left = scene.traces(run);
    if (left.length > 0) throw new Error(`the sandbox left: ${left.join(', ')}`);
  });
  const runFolder = join(scene.paths.run, 'runs', run);
  const leaves = leavesOf(scene.uid, run);
  const groups = () => [...new Set(leaves.flatMap(subgroups))];
  const words = (more: readonly string[], argv: readonly string[]) => ['exec', ...more, name, '--', ...argv];
  return {
    name,
    id,
    run,
    runFolder,
    exec: (more, argv, io) => scene.sandbox(words(more, argv), io),
    startExec: (more, argv, io) => scene.spawn(sandboxFile, words(more, argv), io),
    groups,
    entries: () => readdirSync(join(runFolder, 'execs')),
    members: () =>
      leaves
        .flatMap((leaf) => [leaf, ...subgroups(leaf).map((group) => join(leaf, group))])
        .flatMap((leaf) => readSoft(join(leaf, 'cgroup.procs')).split('\n'))
        .filter((line, at, all) => line !== '' && all.indexOf(line) === at)
        .map(Number),
  };
}

/** Command line of a process, its words joined by blanks. */
export function commandOf(pid: number): string {
  return readSoft(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();
}

/** Whether a file leads to the same as another. */
export function leadsTo(link: string, target: string): boolean {
  return existsSync(link) && realpathSync(link) === realpathSync(target);
}
