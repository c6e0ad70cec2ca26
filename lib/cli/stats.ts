// Owns `sandbox stats`: what live sandboxes use.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { findSandbox, listSandboxes, type Sandbox } from '../run/life/sandbox.ts';
import { isLive, readState } from '../run/life/state.ts';
import { cpuPercent, readUsage, type Usage } from '../run/life/stats.ts';
import type { CliContext } from './context.ts';
import { type Column, formatRows } from './format.ts';
import { tellUnreadable } from './unreadable.ts';
import { statusOfWays } from './waysOut.ts';

interface Row {
  readonly sandbox: Sandbox;
  readonly usage: Usage;
  readonly cpu: number;
  /** Bytes to and from it by its way out; undefined where nobody counts. */
  readonly net: { readonly bytesIn: number; readonly bytesOut: number } | undefined;
}

const firstMs = 500;
const everyMs = 1000;

function mebibytes(bytes: number): string {
  return Number.isFinite(bytes) ? `${(bytes / 2 ** 20).toFixed(1)}MiB` : '-';
}

function memoryShare({ memoryBytes, memoryLimit }: Usage): number {
  return Number.isFinite(memoryLimit) ? (memoryBytes / memoryLimit) * 100 : 0;
}

/** JSON knows no Infinity: null is no limit. */
function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}

const columns: readonly Column<Row>[] = [
  { name: 'ID', header: 'id', value: ({ sandbox }) => sandbox.id },
  { name: 'Name', header: 'name', value: ({ sandbox }) => sandbox.name },
  {
    name: 'CPUPerc',
    header: 'cpu %',
    value: ({ cpu }) => `${cpu.toFixed(2)}%`,
    json: ({ cpu }) => Number(cpu.toFixed(2)),
  },
  {
    name: 'MemUsage',
    header: 'mem usage / limit',
    value: ({ usage }) => `${mebibytes(usage.memoryBytes)} / ${mebibytes(usage.memoryLimit)}`,
    json: ({ usage }) => ({ bytes: usage.memoryBytes, limit: finite(usage.memoryLimit) }),
  },
  {
    name: 'MemPerc',
    header: 'mem %',
    value: ({ usage }) => `${memoryShare(usage).toFixed(2)}%`,
    json: ({ usage }) => Number(memoryShare(usage).toFixed(2)),
  },
  {
    name: 'PIDs',
    header: 'pids / limit',
    value: ({ usage }) => `${usage.pids} / ${Number.isFinite(usage.pidsLimit) ? usage.pidsLimit : '-'}`,
    json: ({ usage }) => ({ pids: usage.pids, limit: finite(usage.pidsLimit) }),
  },
  {
    name: 'NetIO',
    header: 'net in / out',
    value: ({ net }) => (net === undefined ? '-' : `${mebibytes(net.bytesIn)} / ${mebibytes(net.bytesOut)}`),
    json: ({ net }) => (net === undefined ? null : { in: net.bytesIn, out: net.bytesOut }),
  },
  {
    name: 'CPUTime',
    header: 'cpu time',
    value: ({ usage }) => `${(usage.cpuMs / 1000).toFixed(2)}s`,
    json: ({ usage }) => Math.round(usage.cpuMs),
  },
];

/** Those that run now, of the ones that are named; of all without names. */
function selectLive({ paths }: CliContext, named: readonly Sandbox[] | undefined): Sandbox[] {
  return (named ?? listSandboxes(paths).sandboxes).filter((sandbox) => isLive(readState(paths, sandbox)));
}

/** Throws SANDBOX_UNKNOWN, SANDBOX_STATE. */
function findNamed(context: CliContext, words: readonly string[]): Sandbox[] | undefined {
  if (words.length === 0) return undefined;
  const named = words.map((word) => findSandbox(context.paths, word));
  const live = selectLive(context, named);
  const dead = named.find((sandbox) => !live.includes(sandbox));
  if (dead === undefined) return named;
  throw new CofferdamError(
    'SANDBOX_STATE',
    `${dead.name} does not run: it is ${readState(context.paths, dead).status}`,
  );
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((done) => {
    const timer = setTimeout(end, ms);
    function end(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      done();
    }
    signal.addEventListener('abort', end);
  });
}

interface StatsFlags {
  /** commander's form of --no-stream. */
  readonly stream: boolean;
  readonly format: string;
}

/** Usage by sandbox; one that ends while it is read is left out. */
function readAll(sandboxes: readonly Sandbox[]): Map<string, Usage> {
  return new Map(
    sandboxes.flatMap((sandbox) => {
      const usage = readUsage(sandbox);
      return usage === undefined ? [] : [[sandbox.id, usage] as const];
    }),
  );
}

async function readNets(
  { paths }: CliContext,
  sandboxes: readonly Sandbox[],
): Promise<(sandbox: Sandbox) => Row['net']> {
  const asked = sandboxes.some(({ network }) => network.mode === 'proxy');
  const status = asked ? await statusOfWays(paths) : undefined;
  return ({ run }) => status?.runs.find(({ id }) => id === run);
}

async function showStats(context: CliContext, words: readonly string[], { stream, format }: StatsFlags): Promise<void> {
  const { signal, terminal } = context;
  // Before anything is waited for: a format that is none is refused at once.
  formatRows([], columns, format);
  const named = findNamed(context, words);
  if (named === undefined) tellUnreadable(context, listSandboxes(context.paths).unreadable);
  let before = readAll(selectLive(context, named));
  for (let wait = firstMs; ; wait = everyMs) {
    await pause(wait, signal);
    const sandboxes = selectLive(context, named);
    const now = readAll(sandboxes);
    const netOf = await readNets(context, sandboxes);
    const rows = sandboxes.flatMap((sandbox): Row[] => {
      const [last, usage] = [before.get(sandbox.id), now.get(sandbox.id)];
      return last === undefined || usage === undefined
        ? []
        : [{ sandbox, usage, cpu: cpuPercent(last, usage), net: netOf(sandbox) }];
    });
    if (stream && terminal.outIsTerminal) terminal.out('\u001b[H\u001b[2J');
    terminal.out(formatRows(rows, columns, format));
    if (!stream || now.size === 0 || signal.aborted) return;
    before = now;
  }
}

/** `sandbox stats [--no-stream] [--format F] [NAME...]`; without names, all that run. */
export function statsCommand(context: CliContext): Command {
  return createCommand('stats')
    .description('Show cpu, memory and processes of running sandboxes, read from outside')
    .argument('[sandbox...]', 'names, ids, or beginnings of ids; else all that run')
    .option('--no-stream', 'once, not every second')
    .option(
      '--format <format>',
      `json, table, or a template of ${columns.map(({ name }) => `.${name}`).join(' ')}`,
      'table',
    )
    .addHelpText(
      'after',
      "\nExamples:\n  sandbox stats --no-stream\n  sandbox stats --no-stream --format '{{.Name}} {{.MemPerc}}' work",
    )
    .action((words: string[], flags: StatsFlags) => showStats(context, words, flags));
}
