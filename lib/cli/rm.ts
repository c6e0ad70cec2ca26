// Owns `sandbox rm` and `sandbox prune`.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { describeAll } from '../run/life/describe.ts';
import { compileFilters } from '../run/life/filter.ts';
import { removeDamaged, removeSandbox, sweepHalfMade } from '../run/life/remove.ts';
import type { CliContext } from './context.ts';
import { forEachSandbox } from './each.ts';
import { finishAndTell } from './finish.ts';
import { hostOf } from './host.ts';
import { repeatable } from './repeatable.ts';
import { tellUnreadable } from './unreadable.ts';

/** `sandbox rm [-f] NAME...` */
export function rmCommand(context: CliContext): Command {
  return createCommand('rm')
    .description('Remove sandboxes and their logs; their receipts stay')
    .argument('<sandbox...>', 'names, ids, or beginnings of ids')
    .option('-f, --force', 'kill those that run; take away damaged ones; nothing to remove is no failure')
    .addHelpText('after', '\nExamples:\n  sandbox rm work\n  sandbox rm -f work')
    .action(async (words: string[], { force = false }: { force?: boolean }) => {
      const host = hostOf(context);
      const rest: string[] = [];
      for (const word of words) if (!force || !(await removeDamaged(word, host))) rest.push(word);
      await forEachSandbox(
        context,
        rest,
        async (sandbox) => {
          await removeSandbox(sandbox, host, force);
          await finishAndTell(context, sandbox);
        },
        force,
      );
    });
}

/** `sandbox prune [--filter F]`: prints the ids of those it removed. */
export function pruneCommand(context: CliContext): Command {
  return createCommand('prune')
    .description('Remove all sandboxes that do not run')
    .option('--filter <key=value>', 'only some: label=, name=, status=, profile=, id=; repeatable', repeatable, [])
    .addHelpText('after', '\nExample:\n  sandbox prune --filter label=task=7')
    .action(async ({ filter }: { filter: string[] }) => {
      const matches = compileFilters(filter);
      const { all, unreadable } = describeAll(context.paths);
      tellUnreadable(context, unreadable);
      const idle = all.filter((one) => one.state.status !== 'running' && one.state.status !== 'paused' && matches(one));
      const host = hostOf(context);
      for (const { sandbox } of idle) {
        try {
          await removeSandbox(sandbox, host, false);
          context.terminal.out(`${sandbox.id}\n`);
          await finishAndTell(context, sandbox);
        } catch (error) {
          // Started, or removed, while we came to it.
          if (!(error instanceof CofferdamError) || !['SANDBOX_STATE', 'SANDBOX_UNKNOWN'].includes(error.code))
            throw error;
        }
      }
      sweepHalfMade(context.paths, Date.now());
    });
}
