// Owns `sandbox ps` and `sandbox inspect`.
import { type Command, createCommand } from 'commander';
import { printable } from '../base/printable.ts';
import { placeText } from '../policy/ports/place.ts';
import { describeAll, describeSandbox, type SandboxDescription } from '../run/life/describe.ts';
import { type Execution, listExecutions } from '../run/life/execs.ts';
import { compileFilters } from '../run/life/filter.ts';
import { findSandbox, listSandboxes } from '../run/life/sandbox.ts';
import type { CliContext } from './context.ts';
import { type Column, formatRows } from './format.ts';
import { printJson } from './print.ts';
import { repeatable } from './repeatable.ts';
import { tellUnreadable } from './unreadable.ts';
import { statusOfWays } from './waysOut.ts';

const shortId = 13;

/** `3 minutes`: the largest unit of which there is at least one. */
function span(ms: number): string {
  const units = [
    ['day', 86_400_000],
    ['hour', 3_600_000],
    ['minute', 60_000],
    ['second', 1000],
  ] as const;
  const [name, size] = units.find(([, least]) => ms >= least) ?? (['second', 1000] as const);
  const count = Math.max(0, Math.floor(ms / size));
  return `${count} ${name}${count === 1 ? '' : 's'}`;
}

function statusText({ state }: SandboxDescription, now: number): string {
  const since = (iso: string | null) => (iso === null ? '' : span(now - Date.parse(iso)));
  switch (state.status) {
    case 'running':
      return `Up ${since(state.startedAt)}`;
    case 'paused':
      return `Up ${since(state.startedAt)} (Paused)`;
    case 'exited':
      return `Exited (${state.exitCode}) ${since(state.endedAt)} ago`;
    default:
      return state.status === 'created' ? 'Created' : 'Lost';
  }
}

function columnsAt(now: number, whole: boolean): Column<SandboxDescription>[] {
  const cut = (text: string) => (whole ? text : printable(text, 40));
  return [
    { name: 'ID', header: 'ID', value: ({ id }) => (whole ? id : id.slice(0, shortId)), json: ({ id }) => id },
    { name: 'Name', header: 'NAME', value: ({ name }) => name },
    { name: 'Profile', header: 'PROFILE', value: ({ profileName }) => profileName },
    { name: 'Image', header: 'IMAGE', value: ({ image }) => image.name },
    {
      name: 'Command',
      header: 'COMMAND',
      value: ({ command }) => cut(command.join(' ')),
      json: ({ command }) => command,
    },
    { name: 'CreatedAt', header: 'CREATED', value: ({ created }) => created },
    { name: 'Status', header: 'STATUS', value: (row) => statusText(row, now) },
    { name: 'State', header: 'STATE', value: ({ state }) => state.status },
    {
      name: 'ExitCode',
      header: 'EXIT',
      value: ({ state }) => (state.exitCode === null ? '' : `${state.exitCode}`),
      json: ({ state }) => state.exitCode,
    },
    {
      name: 'Ports',
      header: 'PORTS',
      value: ({ ports, state }) =>
        state.pid === null
          ? ''
          : ports.map((one) => `${placeText({ protocol: 'tcp', ...one })}->${one.container}`).join(', '),
      json: ({ ports }) => ports,
    },
    {
      name: 'Network',
      header: 'NETWORK',
      value: ({ network: { mode, tool } }) => (tool === null ? mode : `${mode} (${tool})`),
      json: ({ network }) => network,
    },
    {
      name: 'Labels',
      header: 'LABELS',
      value: ({ labels }) =>
        Object.entries(labels)
          .map(([name, value]) => `${name}=${value}`)
          .join(','),
      json: ({ labels }) => labels,
    },
  ];
}

const shown = 'table {{.ID}}\\t{{.Name}}\\t{{.Profile}}\\t{{.Command}}\\t{{.Status}}';

const execColumns: Column<Execution>[] = [
  { name: 'ID', header: 'ID', value: ({ id }) => id },
  { name: 'Sandbox', header: 'SANDBOX', value: ({ sandbox }) => sandbox.name },
  { name: 'StartedAt', header: 'STARTED', value: ({ startedMs }) => new Date(startedMs).toISOString() },
  { name: 'Command', header: 'COMMAND', value: ({ argv }) => printable(argv.join(' '), 80), json: ({ argv }) => argv },
];

interface PsFlags {
  execs?: true;
  all?: true;
  filter: string[];
  format?: string;
  quiet?: true;
  trunc: boolean;
}

function psAction(flags: PsFlags, context: CliContext): void {
  const { paths, terminal } = context;
  if (flags.execs === true) {
    const { sandboxes, unreadable } = listSandboxes(paths);
    const rows = listExecutions(paths, sandboxes);
    terminal.out(formatRows(rows, execColumns, flags.quiet === true ? '{{.ID}}' : (flags.format ?? 'table')));
    tellUnreadable(context, unreadable);
    return;
  }
  const matches = compileFilters(flags.filter);
  const everything = flags.all === true || flags.filter.some((text) => text.startsWith('status='));
  const { all, unreadable } = describeAll(paths);
  const rows = all
    .filter(({ state }) => everything || state.status === 'running' || state.status === 'paused')
    .filter(matches)
    .map(({ described }) => described);
  const format = flags.quiet === true ? '{{.ID}}' : (flags.format ?? shown);
  terminal.out(formatRows(rows, columnsAt(Date.now(), !flags.trunc), format === 'table' ? shown : format));
  tellUnreadable(context, unreadable);
}

/** `sandbox ps [-a] [-q] [--filter F] [--format F]` */
export function psCommand(context: CliContext): Command {
  return createCommand('ps')
    .description('List sandboxes: those that run, or all')
    .option('-a, --all', 'also those that do not run')
    .option('--filter <key=value>', 'only some: label=, name=, status=, profile=, id=; repeatable', repeatable, [])
    .option('--format <format>', 'json, table, or a template such as "{{.ID}} {{.Name}}"')
    .option('--execs', 'the executions that go on in them, instead')
    .option('-q, --quiet', 'ids only')
    .option('--no-trunc', 'whole ids and commands')
    .addHelpText('after', '\nExamples:\n  sandbox ps -a --filter label=task=7\n  sandbox ps --format json')
    .action((flags: PsFlags) => psAction(flags, context));
}

/** What the daemon says of ways that are open: used so far, and why nothing leaves where nothing does. */
async function askWays({ paths }: CliContext, rows: readonly SandboxDescription[]): Promise<SandboxDescription[]> {
  const asked = rows.some(({ egress }) => egress?.way === 'open');
  const status = asked ? await statusOfWays(paths) : undefined;
  return rows.map((row) => {
    const found = status?.runs.find(({ id }) => id === row.run);
    if (row.egress?.way !== 'open' || status === undefined || found === undefined) return row;
    const { allowed, denied } = found;
    return { ...row, egress: { way: 'open', allowed, denied, problem: status.problem } };
  });
}

/** `sandbox inspect NAME...`: a JSON array, or the template once for each. */
export function inspectCommand(context: CliContext): Command {
  return createCommand('inspect')
    .description('Print all that is known of sandboxes, as JSON')
    .argument('<sandbox...>', 'names, ids, or beginnings of ids')
    .option('-f, --format <format>', 'json, or a template of the fields that ps has')
    .addHelpText('after', '\nExamples:\n  sandbox inspect work\n  sandbox inspect -f "{{.State}}" work')
    .action(async (words: string[], { format = 'json' }: { format?: string }) => {
      const { paths, terminal } = context;
      const rows = await askWays(
        context,
        words.map((word) => describeSandbox(paths, findSandbox(paths, word))),
      );
      if (format === 'json') printJson(terminal, rows);
      else terminal.out(formatRows(rows, columnsAt(Date.now(), true), format));
    });
}
