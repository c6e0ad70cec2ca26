// Owns `sandbox stop`.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { stopSandbox } from '../run/life/stop.ts';
import { completeDue } from '../run/receipt/complete.ts';
import type { CliContext } from './context.ts';
import { forEachSandbox } from './each.ts';
import { finishAndTell } from './finish.ts';

function parseSeconds(text: string): number {
  if (/^[0-9]{1,6}$/.test(text)) return Number(text) * 1000;
  throw new CofferdamError('VALUE_INVALID', `--time: "${printable(text, 40)}" is not a number of seconds`, {
    remedy: 'write it as --time 10',
  });
}

/** `sandbox stop [-t SECONDS] NAME...`; one that does not run is left as it is. */
export function stopCommand(context: CliContext): Command {
  return createCommand('stop')
    .description('Stop sandboxes: TERM, and KILL for what is left after a while; they can be started again')
    .argument('<sandbox...>', 'names, ids, or beginnings of ids')
    .option('-t, --time <seconds>', 'how long they have between the two', parseSeconds, 2000)
    .addHelpText('after', '\nExample:\n  sandbox stop -t 10 work')
    .action(async (words: string[], { time }: { time: number }) => {
      await forEachSandbox(context, words, async (sandbox) => {
        await stopSandbox(context.paths, sandbox, time);
        await finishAndTell(context, sandbox);
      });
      await completeDue(context, Date.now());
    });
}
