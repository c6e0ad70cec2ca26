// Owns `firewall completion`.
import { Argument, type Command, createCommand } from 'commander';
import { renderCompletion, shells } from './completion-script.ts';
import type { CliContext } from './context.ts';

/** `firewall completion bash|zsh|fish`: prints a script for the shell to source. `whole` makes the tree with all verbs. */
export function firewallCompletionCommand(context: CliContext, whole: () => Promise<Command>): Command {
  return createCommand('completion')
    .description('Print a completion script for your shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(firewall completion bash)\n  source <(firewall completion zsh)\n  firewall completion fish > ~/.config/fish/completions/firewall.fish',
    )
    .action(async (shell: string) => {
      const completion = { program: await whole(), names: ['firewall'], values: {}, words: {}, asked: {}, files: [] };
      context.terminal.out(renderCompletion(shell, completion));
    });
}
