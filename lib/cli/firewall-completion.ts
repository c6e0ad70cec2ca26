// Owns `firewall completion`.
import { Argument, type Command, createCommand } from 'commander';
import { renderCompletion, shells } from './completion-script.ts';
import type { CliContext } from './context.ts';

/** `firewall completion bash|zsh|fish`: prints a script for the shell to source. `program` gives the tree when it is whole. */
export function firewallCompletionCommand(context: CliContext, program: () => Command): Command {
  return createCommand('completion')
    .description('Print a completion script for your shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(firewall completion bash)\n  firewall completion fish > ~/.config/fish/completions/firewall.fish',
    )
    .action((shell: string) => {
      const completion = { program: program(), names: ['firewall'], values: {}, asked: {} };
      context.terminal.out(renderCompletion(shell, completion));
    });
}
