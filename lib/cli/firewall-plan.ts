// Owns `firewall plan`: the rules that an apply would load, and what they would change.
import { type Command, createCommand, Option } from 'commander';
import { printable } from '../base/printable.ts';
import { pfCommands, renderPf } from '../firewall/pf.ts';
import { readWanted } from '../firewall/record.ts';
import { compareScripts, renderNftables } from '../firewall/render.ts';
import type { CliContext } from './context.ts';
import { hostPaths, placesOf, readModel, readStaticRules } from './firewall-model.ts';
import { printJson } from './print.ts';

interface PlanFlags {
  readonly backend: 'nft' | 'pf';
  readonly json?: true;
}

function planPf(context: CliContext, json: boolean): void {
  const script = renderPf(readModel(context));
  if (json) {
    printJson(context.terminal, { backend: 'pf', script, commands: pfCommands });
    return;
  }
  context.terminal.out(script);
  context.terminal.err(`firewall: as root on the host it is for:\n${pfCommands.map((line) => `  ${line}\n`).join('')}`);
}

function planNftables(context: CliContext, json: boolean): void {
  const { terminal } = context;
  const model = readModel(context);
  const script = renderNftables(model, readStaticRules(hostPaths(context)));
  const before = readWanted(placesOf(context));
  const change = compareScripts(before ?? '', script);
  const changed = change.added.length + change.removed.length > 0;
  if (json) {
    printJson(terminal, {
      backend: 'nft',
      mode: model.mode,
      applied: before !== undefined,
      changed,
      ...change,
      script,
    });
    return;
  }
  // Where there is no table, everything is new: then the whole of it reads better than its lines.
  if (before === undefined) terminal.out(script);
  else
    for (const [sign, lines] of [
      ['-', change.removed],
      ['+', change.added],
    ] as const)
      for (const line of lines) terminal.out(`${sign} ${printable(line, 400)}\n`);
  if (before !== undefined && !changed) terminal.err('firewall: an apply would change nothing\n');
}

/** The `plan` command. */
export function firewallPlanCommand(context: CliContext): Command {
  return createCommand('plan')
    .description('Show what an apply would change in the host firewall; changes nothing')
    .addOption(
      new Option('--backend <name>', 'nft (Linux), or pf (macOS, BSD): an anchor')
        .choices(['nft', 'pf'])
        .default('nft'),
    )
    .option('--json', 'print {backend, mode, applied, changed, added, removed, script}')
    .addHelpText('after', '\nExamples:\n  firewall plan\n  firewall plan --backend pf >cofferdam.pf.conf')
    .action((flags: PlanFlags) => {
      if (flags.backend === 'pf') planPf(context, flags.json === true);
      else planNftables(context, flags.json === true);
    });
}
