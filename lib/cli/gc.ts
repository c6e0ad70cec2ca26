// Owns `sandbox gc`: freeing what dead runs left.
import { type Command, createCommand } from 'commander';
import { locateCgroups } from '../engine/cgroup.ts';
import { runFolders } from '../run/folders.ts';
import { reapRuns } from '../run/reap.ts';
import type { CliContext } from './context.ts';
import { printJson } from './print.ts';

export function gcCommand(context: CliContext): Command {
  return createCommand('gc')
    .description(
      'Free what killed runs left: processes, cgroups, folders, host ids (each run does this on its way, too)',
    )
    .option('--json', 'print {freed, stuck, quarantined}')
    .addHelpText('after', '\nExample:\n  sandbox gc --json')
    .action(async (flags: { json?: true }) => {
      const reaped = await reapRuns(runFolders(context.paths), locateCgroups(context.uid), Date.now());
      if (flags.json === true) printJson(context.terminal, reaped);
      else
        context.terminal.out(
          `freed ${reaped.freed.length}, stuck ${reaped.stuck.length}, quarantined ${reaped.quarantined.length}\n`,
        );
      if (reaped.stuck.length > 0) context.exit(1);
    });
}
