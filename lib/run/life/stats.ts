// Owns what a live sandbox uses, read from outside: its control groups, and where v1 does not count cpu time, its processes.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LeafController } from '../../engine/cgroup.ts';
import type { Sandbox } from './sandbox.ts';

export interface Usage {
  /** Milliseconds of the monotonic clock at which it was read. */
  readonly at: number;
  /** Of all processes since the start. */
  readonly cpuMs: number;
  readonly memoryBytes: number;
  readonly memoryLimit: number;
  readonly pids: number;
  readonly pidsLimit: number;
}

/** clock_t of proc(5) is a hundredth of a second on every architecture that Linux runs Node on. */
const tickMs = 10;

const files = {
  1: { memory: 'memory.usage_in_bytes', memoryLimit: 'memory.limit_in_bytes' },
  2: { memory: 'memory.current', memoryLimit: 'memory.max' },
} as const;

function readSoft(file: string): string | undefined {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return undefined;
  }
}

function numberIn(text: string | undefined): number | undefined {
  const value = Number.parseInt(text ?? '', 10);
  return text?.trim() === 'max' ? Number.POSITIVE_INFINITY : Number.isNaN(value) ? undefined : value;
}

// Ended children count at whoever waited for them, which inside is the program or our init.
function processMs(pid: string): number {
  const stat = readSoft(`/proc/${pid}/stat`);
  if (stat === undefined) return 0;
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
  return ticks * tickMs;
}

function membersMs(group: string): number {
  const own = (readSoft(join(group, 'cgroup.procs')) ?? '').split('\n').filter((pid) => pid !== '' && pid !== '0');
  // The groups of execs lie below.
  let below: string[] = [];
  try {
    below = readdirSync(group, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
  } catch {
    // It has ended.
  }
  return (
    own.reduce((sum, pid) => sum + processMs(pid), 0) +
    below.reduce((sum, name) => sum + membersMs(join(group, name)), 0)
  );
}

function readCpuMs(version: 1 | 2, leaf: string): number {
  if (version === 2) {
    const found = /^usage_usec ([0-9]+)$/m.exec(readSoft(join(leaf, 'cpu.stat')) ?? '');
    return Number(found?.[1] ?? 0) / 1000;
  }
  // There where cpuacct is mounted together with cpu, as systemd has it.
  const nanoseconds = numberIn(readSoft(join(leaf, 'cpuacct.usage')));
  return nanoseconds === undefined ? membersMs(leaf) : nanoseconds / 1e6;
}

/** What a sandbox uses now; undefined when it does not run. Limits are Infinity where there is none. */
export function readUsage({ cgroups, run }: Pick<Sandbox, 'cgroups' | 'run'>): Usage | undefined {
  const leaf = (controller: LeafController) => {
    const folder = cgroups.folders.find(({ controllers }) => controllers.includes(controller));
    return folder === undefined || run === null ? undefined : join(folder.path, run);
  };
  const number = (controller: LeafController, file: string) =>
    numberIn(readSoft(join(leaf(controller) ?? '/dev/null', file)));
  const { memory, memoryLimit } = files[cgroups.version];
  const memoryBytes = number('memory', memory);
  const pids = number('pids', 'pids.current');
  const cpu = leaf('cpu');
  // pids.current of a group that is there while it is being made or taken away says nothing.
  if (memoryBytes === undefined || pids === undefined || cpu === undefined) return undefined;
  return {
    at: performance.now(),
    cpuMs: readCpuMs(cgroups.version, cpu),
    memoryBytes,
    memoryLimit: number('memory', memoryLimit) ?? Number.POSITIVE_INFINITY,
    pids,
    pidsLimit: number('pids', 'pids.max') ?? Number.POSITIVE_INFINITY,
  };
}

/** Share of one core, in percent, between two readings: 200 is two cores. */
export function cpuPercent(before: Usage, after: Usage): number {
  const passed = after.at - before.at;
  return passed <= 0 ? 0 : (Math.max(0, after.cpuMs - before.cpuMs) / passed) * 100;
}
