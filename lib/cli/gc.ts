// Owns `sandbox gc`: freeing what dead runs left.
import { type Command, createCommand } from 'commander';
import { printable } from '../base/printable.ts';
import { locateCgroups } from '../engine/cgroupPlace.ts';
import { freeLeftovers } from '../run/leftovers.ts';
import type { CliContext } from './context.ts';
import { printJson } from './print.ts';

export function gcCommand(context: CliContext): Command {
  return createCommand('gc')
    .description(
      'Free what killed runs left: processes, cgroups, folders, host ids (each run does this on its way, too)',
    )
    .option('--json', 'print {freed, stuck, quarantined, setAside, copies}')
    .addHelpText('after', '\nExample:\n  sandbox gc --json')
    .action(async (flags: { json?: true }) => {
      const left = await freeLeftovers(context, locateCgroups(context.uid), Date.now());
      if (flags.json === true) printJson(context.terminal, left);
      else {
        const { freed, stuck, quarantined, copies } = left;
        for (const { path, kept } of left.setAside) context.terminal.out(`set aside: ${path} → ${printable(kept)}\n`);
        context.terminal.out(
          `freed ${freed.length}, stuck ${stuck.length}, quarantined ${quarantined.length}, half-made copies ${copies.length}\n`,
        );
      }
      if (left.stuck.length > 0) context.exit(1);
    });
}
