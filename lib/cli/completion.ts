// Owns `sandbox completion`: which names the shell can complete beside the words of the command tree.
import { Argument, type Command, createCommand } from 'commander';
import { definedImages } from '../image/definition.ts';
import { listProfiles } from '../profile/find.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import { renderCompletion, shells } from './completion-script.ts';
import type { CliContext } from './context.ts';

/** Commands that take the name of a sandbox. What there is is asked when it is wanted; names are letters, digits and `_.-`. */
const namingCommands = 'start|attach|exec|logs|inspect|wait|stop|kill|rm|pause|unpause|stats|diff|apply';
const listNames = "sandbox ps -a --format '{{.Name}}' 2>/dev/null";
const listSides = "sandbox ps --format '{{.Name}}:' 2>/dev/null";

/** `sandbox completion bash|zsh|fish`: prints a script for the shell to source. `whole` makes the tree with all verbs. */
export function completionCommand(context: CliContext, whole: () => Promise<Command>): Command {
  return createCommand('completion')
    .description('Print a completion script for your shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(sandbox completion bash)\n  sandbox completion fish > ~/.config/fish/completions/sandbox.fish',
    )
    .action(async (shell: string) => {
      const { paths, cwd, uid } = context;
      const profiles = listProfiles({ paths, cwd, uid, ceiling: loadHostConfig(paths.hostConfig) }).map(
        ({ name }) => name,
      );
      const values = {
        '-p|--profile': profiles,
        '--engine': ['crun', 'podman', 'nerdctl', 'docker'],
        'build|inspect|check|sbom|containerfile|rm': definedImages(paths.install),
      };
      const asked = { [namingCommands]: listNames, cp: listSides };
      const completion = { program: await whole(), names: ['sandbox', 'cofferdam'], values, asked };
      context.terminal.out(renderCompletion(shell, completion));
    });
}
