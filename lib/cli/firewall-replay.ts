// Owns `firewall replay`: a stored egress log against a proposed policy.
import { createReadStream } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { type Command, createCommand } from 'commander';
import { CofferdamError, messageOf } from '../base/errors.ts';
import { readTextIfPresent } from '../base/files.ts';
import { printable } from '../base/printable.ts';
import { readClock } from '../policy/clock.ts';
import { showHost } from '../policy/hostname.ts';
import { mostPolicyBytes, parsePolicy } from '../policy/load.ts';
import type { Policy } from '../policy/policy.ts';
import { type Replay, replayLog, type Turn } from '../policy/replay.ts';
import type { CliContext } from './context.ts';
import { printJson, printTable } from './print.ts';

interface ReplayOptions {
  readonly policy: string;
  readonly json?: boolean;
}

// A proposal decides nothing, so whose file it is does not matter.
function readProposal(file: string): Policy {
  const text = readTextIfPresent(file, mostPolicyBytes);
  if (text === undefined) {
    const remedy = 'name the file of the proposed policy: --policy FILE';
    throw new CofferdamError('POLICY_MISSING', `there is no policy: ${printable(file)}`, { remedy });
  }
  return parsePolicy(text, file);
}

async function replayFile(file: string, policy: Policy): Promise<Replay> {
  const input = createReadStream(file, 'utf8');
  try {
    return await replayLog(createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY }), policy, readClock());
  } catch (cause) {
    const message = `cannot read ${printable(file)}: ${printable(messageOf(cause))}`;
    throw new CofferdamError('CONFIG_UNREADABLE', message, { cause, remedy: 'name a log file that you may read' });
  } finally {
    input.destroy();
  }
}

function turnJson({ entry, now, times }: Turn): object {
  const { host, port, result, reason, text, rule } = now;
  const principal = { tool: entry.tool ?? null, profile: entry.profile ?? null };
  return {
    ...principal,
    host,
    port,
    before: entry.result,
    now: result,
    reason,
    text,
    where: rule?.where ?? null,
    times,
  };
}

function turnRow({ entry, now, times }: Turn): string[] {
  const principal = [entry.tool, entry.profile].filter((name) => name != null).join(', ');
  const target = `${showHost(now.host)}:${entry.port}`;
  const why = now.rule === undefined ? now.text : `${now.text}, ${now.rule.where}`;
  return [now.result, target, printable(principal || '-', 100), String(times), printable(why, 500)];
}

function report({ terminal }: CliContext, { total, turns, unkept, unreadable }: Replay): void {
  if (turns.length > 0) printTable(terminal, ['now', 'host', 'asked by', 'times', 'why'], turns.map(turnRow));
  const [pass, fail] = (['allow', 'deny'] as const).map((to) => turns.filter(({ now }) => now.result === to).length);
  terminal.out(`${total} requests: ${pass} hosts would newly pass, ${fail} newly fail\n`);
  if (unkept > 0) terminal.err(`firewall: ${unkept} more requests turn, of hosts that are not listed\n`);
  if (unreadable.length > 0)
    terminal.err(`firewall: ${unreadable.length} lines are no entries, the first is line ${unreadable[0]}\n`);
}

async function replay(context: CliContext, log: string, options: ReplayOptions): Promise<void> {
  const { cwd, terminal } = context;
  const found = await replayFile(resolve(cwd, log), readProposal(resolve(cwd, options.policy)));
  if (found.turns.length > 0 || found.unreadable.length > 0) context.exit(1);
  if (options.json === true) printJson(terminal, { ...found, turns: found.turns.map(turnJson) });
  else report(context, found);
}

/** The `replay` command: exit status 0 when nothing turns, 1 when something does or a line cannot be read. */
export function replayCommand(context: CliContext): Command {
  return createCommand('replay')
    .description('What a proposed policy would newly let pass, or newly deny, of the requests in a stored log')
    .argument('<log>', 'a file of JSON objects, a line each, with tool, profile, host, port, result (allow or deny)')
    .requiredOption('--policy <file>', 'the proposed firewall.yaml')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExit status 0 when nothing would change, 1 when something would, or when a line is no entry.\n\nExamples:\n  firewall replay egress.log --policy proposed.yaml\n  firewall replay egress.log --policy proposed.yaml --json',
    )
    .action((log: string, options: ReplayOptions) => replay(context, log, options));
}
