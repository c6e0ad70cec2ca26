// Owns `sandbox completion`: which names the shell can complete beside the words of the command tree.
import { Argument, type Command, createCommand } from 'commander';
import { definedImages } from '../image/definition.ts';
import { listProfiles } from '../profile/find.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import { renderCompletion, shells } from './completion-script.ts';
import type { CliContext } from './context.ts';

/** Commands that take the name of a sandbox. What there is is asked when it is wanted; names are letters, digits and `_.-`. */
const namingCommands = [
  ...['start', 'attach', 'exec', 'logs', 'inspect', 'wait', 'stop', 'kill', 'rm', 'pause', 'unpause', 'stats', 'diff'],
  'apply',
];
const imageCommands = ['build', 'inspect', 'check', 'sbom', 'containerfile', 'save', 'rm'];
const listNames = "sandbox ps -a --format '{{.Name}}' 2>/dev/null";
const listSides = "sandbox ps --format '{{.Name}}:' 2>/dev/null";

/** `sandbox completion bash|zsh|fish`: prints a script for the shell to source. `whole` makes the tree with all verbs. */
export function completionCommand(context: CliContext, whole: () => Promise<Command>): Command {
  return createCommand('completion')
    .description('Print a completion script for your shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(shells))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(sandbox completion bash)\n  source <(sandbox completion zsh)\n  sandbox completion fish > ~/.config/fish/completions/sandbox.fish',
    )
    .action(async (shell: string) => {
      const { paths, cwd, uid } = context;
      const profiles = listProfiles({ paths, cwd, uid, ceiling: loadHostConfig(paths.hostConfig) }).map(
        ({ name }) => name,
      );
      const values = {
        '--profile': profiles,
        '--engine': ['crun', 'podman', 'nerdctl', 'docker'],
        '--isolation': ['gvisor'],
        '--network': ['none', 'proxy'],
      };
      const images = definedImages(paths.install);
      const words = {
        ...Object.fromEntries(imageCommands.map((name) => [`image ${name}`, images])),
        'profile show': profiles,
      };
      const asked = { ...Object.fromEntries(namingCommands.map((name) => [name, listNames])), cp: listSides };
      const completion = {
        program: await whole(),
        names: ['sandbox', 'cofferdam'],
        values,
        words,
        asked,
        files: ['cp', 'profile show'],
      };
      context.terminal.out(renderCompletion(shell, completion));
    });
}
