// Owns `sandbox pause` and `sandbox unpause`.
import { type Command, createCommand } from 'commander';
import { pauseSandbox, unpauseSandbox } from '../run/life/pause.ts';
import type { CliContext } from './context.ts';
import { forEachSandbox } from './each.ts';

/** `sandbox pause NAME...`. */
export function pauseCommand(context: CliContext): Command {
  return createCommand('pause')
    .description('Stop every process of running sandboxes where it is, by the freezer; lifetimes go on')
    .argument('<sandbox...>', 'names, ids, or beginnings of ids')
    .addHelpText('after', '\nExample:\n  sandbox pause work')
    .action((words: string[]) => forEachSandbox(context, words, (sandbox) => pauseSandbox(context.paths, sandbox)));
}

/** `sandbox unpause NAME...`. */
export function unpauseCommand(context: CliContext): Command {
  return createCommand('unpause')
    .description('Let paused sandboxes go on')
    .argument('<sandbox...>', 'names, ids, or beginnings of ids')
    .addHelpText('after', '\nExample:\n  sandbox unpause work')
    .action((words: string[]) =>
      forEachSandbox(context, words, async (sandbox) => unpauseSandbox(context.paths, sandbox)),
    );
}
