// Owns `firewall log`: what sandboxes asked for and what became of it, for people, or in the form that `firewall replay` takes.
import { type Command, createCommand } from 'commander';
import { tailLines } from '../base/lineLog.ts';
import { printable, printableJson } from '../base/printable.ts';
import { showHost } from '../policy/hostname.ts';
import { accessLog } from '../service/egress/folders.ts';
import { type LoggedEntry, readEgressLine } from '../service/egress/logEntry.ts';
import { egressLogs } from '../service/egress/systemPlaces.ts';
import type { CliContext } from './context.ts';
import { parseTime } from './logs.ts';

interface LogFlags {
  readonly follow?: true;
  readonly run?: string;
  readonly since?: string;
  readonly json?: true;
}

function entryText({ time, run, tool, profile, method, host, port, result, reason, ...rest }: LoggedEntry): string {
  const { status, bytesIn, bytesOut, ms } = rest;
  const principal = [tool, profile].filter((name) => name != null).join(', ') || '-';
  const why = result === 'deny' && reason != null ? ` (${printable(reason, 40)})` : '';
  return [
    new Date(time).toISOString(),
    `${result}${why}`,
    `${printable(method ?? '-', 20)} ${showHost(host)}:${port}`,
    `by ${printable(principal, 100)} in ${printable(run ?? '-', 64)}`,
    `${status}, ${bytesOut} B out, ${bytesIn} B in, ${ms} ms`,
  ].join('  ');
}

async function showLog(context: CliContext, { follow, run, since, json }: LogFlags): Promise<void> {
  const { paths, uid, signal, terminal } = context;
  const from = since === undefined ? 0 : parseTime(since, Date.now());
  let unreadable = 0;
  for await (const line of tailLines(accessLog(egressLogs(paths, uid)), follow === true ? signal : undefined)) {
    const entry = readEgressLine(line);
    if (entry === undefined) unreadable++;
    else if (entry.time >= from && (run === undefined || entry.run === run)) {
      const text = json === true ? printableJson(entry, 0) : entryText(entry);
      await terminal.write('stdout', Buffer.from(`${text}\n`));
    }
  }
  if (unreadable > 0) terminal.err(`firewall: ${unreadable} lines of the log are none of ours\n`);
}

/** The `log` command. */
export function firewallLogCommand(context: CliContext): Command {
  return createCommand('log')
    .description('Every request that sandboxes made through the proxy, as the proxy logged it')
    .option('-f, --follow', 'go on with what comes, until you stop it')
    .option('--run <id>', 'of one run')
    .option('--since <time>', '10m (that long ago), 2026-01-31T12:00:00Z, or seconds since 1970')
    .option('--json', 'one object a line, as `firewall replay` takes them')
    .addHelpText(
      'after',
      '\nExamples:\n  firewall log --follow --run build-17\n  firewall log --since 24h --json >egress.log\n  firewall replay egress.log --policy proposed.yaml',
    )
    .action((flags: LogFlags) => showLog(context, flags));
}
