// Owns `sandbox gc`: freeing what dead runs left, and saying what was freed.
import { type Command, createCommand } from 'commander';
import { messageOf } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { findCgroups } from '../engine/cgroupPlace.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import { sweepContainers } from '../run/containers.ts';
import { freeLeftovers, type Leftovers } from '../run/leftovers.ts';
import { restoreWaysOut } from '../service/egress/wayOut.ts';
import type { CliContext, Terminal } from './context.ts';
import { printJson } from './print.ts';

function printLeftovers({ out }: Terminal, left: Leftovers & { readonly containers: readonly string[] }): void {
  const { freed, stuck, quarantined, setAside, copies, halves, slots } = left;
  for (const id of freed) out(`freed: ${id}\n`);
  for (const id of copies) out(`removed: the half-made copy of ${id}\n`);
  for (const id of left.containers) out(`removed: the container of ${id}\n`);
  for (const file of halves) out(`removed: ${printable(file, 4096)}\n`);
  if (slots > 0) out(`freed: ${slots} host id slots without a run\n`);
  for (const { path, kept } of setAside) out(`set aside: ${path} → ${printable(kept, 4096)}\n`);
  for (const { file, why, kept } of quarantined) out(`quarantined: ${file} ${why} → ${printable(kept, 4096)}\n`);
  for (const { id, why } of stuck) out(`stuck: ${id}: ${why}\n`);
  out(
    `freed ${freed.length}, stuck ${stuck.length}, quarantined ${quarantined.length}, half-made copies ${copies.length}\n`,
  );
}

export function gcCommand(context: CliContext): Command {
  return createCommand('gc')
    .description(
      'Free what killed runs left: processes, cgroups, folders, host ids (each run does this on its way, too)',
    )
    .option('--json', 'print {freed, stuck, quarantined, slots, setAside, copies, halves, containers}')
    .addHelpText('after', '\nExample:\n  sandbox gc --json\n\nExit status: 0 all is freed, 1 something is stuck.')
    .action(async (flags: { json?: true }) => {
      const cgroups = findCgroups(context.uid);
      const freed = await freeLeftovers(context, { cgroups, now: Date.now(), thorough: true });
      await restoreWaysOut(context).catch((error: unknown) => {
        context.terminal.err(
          `sandbox: sandboxes that live stay without a way out: ${printable(messageOf(error), 400)}\n`,
        );
      });
      const { engines } = loadHostConfig(context.paths.hostConfig);
      const { removed, stuck } = await sweepContainers(context.paths, engines);
      const left = { ...freed, stuck: [...freed.stuck, ...stuck], containers: removed };
      if (flags.json === true) printJson(context.terminal, left);
      else printLeftovers(context.terminal, left);
      if (left.stuck.length > 0) context.exit(1);
    });
}
