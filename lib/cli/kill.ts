// Owns `sandbox kill`.
import { type Command, createCommand } from 'commander';
import { endExecution, isExecution } from '../run/life/execs.ts';
import { parseSignal } from '../run/life/signal.ts';
import { killSandbox } from '../run/life/stop.ts';
import type { CliContext } from './context.ts';
import { forEachSandbox } from './each.ts';

/** `sandbox kill [-s SIGNAL] NAME...` */
export function killCommand(context: CliContext): Command {
  return createCommand('kill')
    .description('Send a signal to the program of sandboxes, or end executions with all that they started')
    .argument('<sandbox...>', 'names, ids, or beginnings of ids; ids of detached executions')
    .option('-s, --signal <signal>', 'name or number', parseSignal, 'KILL')
    .addHelpText('after', '\nExample:\n  sandbox kill -s USR1 work')
    .action(async (words: string[], { signal }: { signal: string }) => {
      const { paths, terminal } = context;
      const executions = words.filter((word) => isExecution(paths, word));
      for (const id of executions) {
        await endExecution(paths, id, signal);
        terminal.out(`${id}\n`);
      }
      const sandboxes = words.filter((word) => !executions.includes(word));
      await forEachSandbox(context, sandboxes, (sandbox) => killSandbox(paths, sandbox, signal));
    });
}
