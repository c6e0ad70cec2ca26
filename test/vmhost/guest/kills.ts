// Owns the cases where a process of ours is killed during a run: what lives on, and what is left when `sandbox gc` has been there.
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { ask } from './ask.ts';
import { base, env, findLeaves, readSoft, report, runFolder, sandbox, until, who, work } from './caller.ts';

/** Pids whose command line holds all of `words`. */
function findProcesses(...words: string[]): number[] {
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name) && name !== String(process.pid))
    .filter((name) => {
      const line = readSoft(`/proc/${name}/cmdline`).split('\0');
      return words.every((word) => line.some((part) => part === word || part.endsWith(`/${word}`)));
    })
    .map(Number);
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+([0-9]+)$/m.exec(readSoft(`/proc/${pid}/status`))?.[1]);
}

interface Way {
  readonly name: string;
  readonly args: readonly string[];
  /** Whom to kill: `caller` is what the test started, `supervisor` our native process of the run. */
  victim(caller: number, supervisor: number): number;
}

interface Killed {
  readonly command: readonly string[];
  /** How many processes were in the leaf. */
  readonly guests: number;
  readonly dead: boolean;
  readonly ms: number;
  readonly leaf: string;
  /** Whether nobody removed the leaf. */
  readonly stays: boolean;
  /** How many processes still name the run. */
  readonly processes: number;
}

const artifacts = (name: string) => ['--artifacts', join(work, `kill-${name}`)];

// With artifacts a launcher stays above the supervisor, and Node above it; on the short way the supervisor is all there is.
const ways: readonly Way[] = [
  { name: 'launcher', args: artifacts('launcher'), victim: (_, supervisor) => parentOf(supervisor) },
  { name: 'caller', args: artifacts('caller'), victim: (caller) => caller },
  // Last, because a later run on Node would free what this one leaves.
  { name: 'supervisor', args: [], victim: (_, supervisor) => supervisor },
];

/** Starts a run whose program ignores TERM, kills one process of it, and sees what becomes of the rest. */
async function killOne({ name, args, victim }: Way): Promise<Killed> {
  const id = `${who}-kill-${name}`;
  const script = `trap '' TERM; echo up; while :; do sleep 1; done`;
  const child = spawn(sandbox, ['run', '--id', id, ...base, ...args, '--', 'sh', '-c', script], {
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  await until(() => out !== '' || child.exitCode !== null);
  const [leaf = '/none'] = findLeaves(id);
  const members = () => readSoft(join(leaf, 'cgroup.procs')).split('\n').filter(Boolean);
  const guests = members();
  const [supervisor = -1] = findProcesses('supervise', id);
  const pid = victim(child.pid ?? -1, supervisor);
  const command = readSoft(`/proc/${pid}/cmdline`).split('\0').slice(0, 2);
  const started = Date.now();
  if (pid > 1) process.kill(pid, 'SIGKILL');
  const isOver = () => members().length === 0 && guests.every((guest) => !existsSync(`/proc/${guest}`));
  const dead = await until(isOver);
  const ms = Date.now() - started;
  // What can still clean up does so now.
  await until(() => findProcesses(id).length === 0);
  return {
    command,
    guests: guests.length,
    dead,
    ms,
    leaf,
    stays: existsSync(leaf),
    processes: findProcesses(id).length,
  };
}

function list(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

/** All of it, and what is there afterwards: in the group that holds the runs, and in the folders of the runs. */
export async function killOurs(): Promise<void> {
  let parent = '';
  // A delegated service holds runs as root's unit does: there one way is enough.
  for (const way of who === 'service' ? ways.filter(({ name }) => name === 'supervisor') : ways) {
    const seen = await killOne(way);
    parent = dirname(seen.leaf);
    report(`kill-${way.name}`, seen);
  }
  const { status, stdout } = await ask('sandbox', ['gc', '--json']);
  const groups = readdirSync(parent, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  report('gc', {
    status,
    said: stdout === '' ? undefined : JSON.parse(stdout),
    leaves: ways.flatMap(({ name }) => findLeaves(`${who}-kill-${name}`)),
    groups: groups.map(({ name }) => name),
    folders: ['records', 'slots', 'runs', 'collect'].flatMap((name) => list(join(runFolder, name))),
  });
}
