// Owns `sandbox wait`.
import { type Command, createCommand } from 'commander';
import { isExecution, waitExecution } from '../run/life/execs.ts';
import { findSandbox } from '../run/life/sandbox.ts';
import { waitSandbox } from '../run/life/wait.ts';
import type { CliContext } from './context.ts';
import { finishAndTell } from './finish.ts';

/** `sandbox wait NAME...`: prints the exit status of each, a line each, in the order they are named. */
export function waitCommand(context: CliContext): Command {
  return createCommand('wait')
    .description('Wait until sandboxes, or detached executions, have ended, and print the exit status of each')
    .argument('<sandbox...>', 'names, ids, or beginnings of ids; ids of detached executions')
    .addHelpText('after', '\nExample:\n  sandbox wait work')
    .action(async (words: string[]) => {
      const { paths, signal, terminal } = context;
      const waits = words.map((word) => {
        if (isExecution(paths, word)) return () => waitExecution(paths, word, signal);
        const sandbox = findSandbox(paths, word);
        return async () => {
          const record = await waitSandbox(paths, sandbox, signal);
          await finishAndTell(context, sandbox);
          return record;
        };
      });
      for (const wait of waits) terminal.out(`${(await wait()).exitCode}\n`);
    });
}
