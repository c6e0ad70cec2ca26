// Owns `sandbox start`.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { endOfLog } from '../run/life/logs.ts';
import { findSandbox, logsFolder } from '../run/life/sandbox.ts';
import { startSandbox } from '../run/life/start.ts';
import { type Attaching, addAttachOptions, attachHere, checkAttaching } from './attach.ts';
import type { CliContext } from './context.ts';
import { forEachSandbox } from './each.ts';
import { hostOf } from './host.ts';
import { terminalSize } from './streams.ts';

interface StartFlags extends Attaching {
  readonly attach?: true;
}

async function startAttached(context: CliContext, words: readonly string[], attaching: Attaching): Promise<void> {
  const [word = '', ...others] = words;
  if (others.length > 0)
    throw new CofferdamError('USAGE', '--attach takes one sandbox', { remedy: 'start the others without it' });
  const sandbox = findSandbox(context.paths, word);
  checkAttaching(context, sandbox, attaching);
  const offset = endOfLog(logsFolder(context.paths, sandbox.id));
  await attachHere(context, await startSandbox(sandbox, hostOf(context), terminalSize()), offset, attaching);
}

/** `sandbox start [-a [--no-stdin] [--detach-keys KEYS]] NAME...`; one that runs is left as it is. */
export function startCommand(context: CliContext): Command {
  const command = createCommand('start')
    .description('Start sandboxes, new ones or again; each outlives this command')
    .argument('<sandbox...>', 'names, ids, or beginnings of ids')
    .option('-a, --attach', 'attach to it from its first byte on, as sandbox attach does');
  return addAttachOptions(command, 'with --attach: ')
    .addHelpText('after', '\nExamples:\n  sandbox start work\n  sandbox start -a shell')
    .action((words: string[], flags: StartFlags) =>
      flags.attach === true
        ? startAttached(context, words, flags)
        : forEachSandbox(context, words, async (sandbox) => void (await startSandbox(sandbox, hostOf(context)))),
    );
}
