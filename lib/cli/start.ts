// Owns `sandbox start`.
import { type Command, createCommand } from 'commander';
import { startSandbox } from '../run/life/start.ts';
import type { CliContext } from './context.ts';
import { forEachSandbox } from './each.ts';
import { hostOf } from './host.ts';

/** `sandbox start NAME...`; one that runs is left as it is. */
export function startCommand(context: CliContext): Command {
  return createCommand('start')
    .description('Start sandboxes, new ones or again; each outlives this command')
    .argument('<sandbox...>', 'names, ids, or beginnings of ids')
    .addHelpText('after', '\nExample:\n  sandbox start work')
    .action((words: string[]) =>
      forEachSandbox(context, words, async (sandbox) => void (await startSandbox(sandbox, hostOf(context)))),
    );
}
