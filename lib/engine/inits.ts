// Owns finding a sandbox's init among the host's processes, where no runtime of ours says its pid.
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { errnoOf } from '../base/errors.ts';
import { startTimeOf } from '../base/process.ts';
import { initTarget } from '../spec/mounts.ts';
import type { LiveRun } from './types.ts';

/** Of the supervisor, where a sandbox's init is no child of what it starts: published ports lead to whoever is init in the run's group. */
export const seekInit: readonly string[] = ['--init-in-group'];

/** A process of the host, named for good. */
export interface HostProcess {
  readonly pid: number;
  /** As `startTimeOf` gives it. */
  readonly started: string;
}

/** The init of a run; undefined when there is none, or not yet. */
export type FindInit = (run: LiveRun) => HostProcess | undefined;

function readSoft(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    if (['ENOENT', 'ESRCH', 'ENODEV'].includes(errnoOf(cause) ?? '')) return '';
    throw cause;
  }
}

/** Whether a process has executed our init, and is the first of its pid namespace; nobody inside can be that or make another. */
export function isInit(pid: number): boolean {
  const status = readSoft(`/proc/${pid}/status`);
  return (
    /^Name:\t(.*)$/m.exec(status)?.[1] === basename(initTarget) && /^NSpid:.*\t([0-9]+)$/m.exec(status)?.[1] === '1'
  );
}

/**
 * By the run's control group, in which the sandbox's own processes are; executions have groups below it (proc(5), NSpid).
 * Without a group nobody is found.
 */
export const findInitInLeaf: FindInit = ({ leaves }) => {
  const [leaf] = leaves;
  if (leaf === undefined) return undefined;
  const pids = readSoft(join(leaf, 'cgroup.procs'))
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 1);
  for (const pid of pids) {
    const started = startTimeOf(pid);
    if (started !== undefined && isInit(pid) && startTimeOf(pid) === started) return { pid, started };
  }
  return undefined;
};
