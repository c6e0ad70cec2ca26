// Owns `sandbox completion`: shell completion made from the command tree itself.
import { Argument, type Command, createCommand } from 'commander';
import { definedImages } from '../image/definition.ts';
import { listProfiles } from '../profile/find.ts';
import { loadHostConfig } from '../profile/hostConfig.ts';
import type { CliContext } from './context.ts';

interface Entry {
  readonly path: string;
  readonly words: readonly string[];
}

function entries(command: Command, path: string): Entry[] {
  const options = command.options.flatMap((option) =>
    option.long === null || option.long === undefined ? [] : [option.long],
  );
  const subs = command.commands.map((sub) => sub.name());
  const own: Entry = { path, words: [...subs, ...options, '--help'] };
  return [own, ...command.commands.flatMap((sub) => entries(sub, path === '' ? sub.name() : `${path} ${sub.name()}`))];
}

// One script serves bash and, through bashcompinit, zsh. Only names of ours are in it: letters, digits, "-", "_", ".".
function renderBash(all: readonly Entry[], values: Readonly<Record<string, readonly string[]>>): string {
  const cases = all.map(({ path, words }) => `\t'${path}') words='${words.join(' ')}' ;;`);
  const valueCases = Object.entries(values).map(([flags, names]) => `\t${flags}) words='${names.join(' ')}' ;;`);
  return [
    '_cofferdam() {',
    '\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path="" part words=""',
    '\tfor part in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '\t\tcase $part in --) return ;; -*) ;; *) case "$path $part" in',
    ...all.filter(({ path }) => path !== '').map(({ path }) => `\t\t\t' ${path}'|'${path}') path='${path}' ;;`),
    '\t\tesac ;; esac',
    '\tdone',
    '\tcase $before in',
    ...valueCases,
    '\t*) case $path in',
    ...cases,
    '\tesac ;;',
    '\tesac',
    '\tCOMPREPLY=($(compgen -W "$words" -- "$word"))',
    '}',
    'complete -o default -F _cofferdam sandbox cofferdam',
    '',
  ].join('\n');
}

function renderFish(all: readonly Entry[]): string {
  const lines = all.flatMap(({ path, words }) => {
    const condition = path === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${path.split(' ').at(-1)}`;
    const plain = words
      .filter((word) => !word.startsWith('-'))
      .map((word) => `complete -c sandbox -n '${condition}' -a '${word}'`);
    const long = words
      .filter((word) => word.startsWith('--'))
      .map((word) => `complete -c sandbox -n '${condition}' -l '${word.slice(2)}'`);
    return [...plain, ...long];
  });
  return `${lines.join('\n')}\n`;
}

/** `sandbox completion bash|zsh|fish`: prints a script for the shell to source. `program` gives the tree when it is whole. */
export function completionCommand(context: CliContext, program: () => Command): Command {
  return createCommand('completion')
    .description('Print a completion script for your shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      '\nExamples:\n  source <(sandbox completion bash)\n  sandbox completion fish > ~/.config/fish/completions/sandbox.fish',
    )
    .action((shell: string) => {
      const all = entries(program(), '');
      const { paths, cwd, uid } = context;
      const profiles = listProfiles({ paths, cwd, uid, ceiling: loadHostConfig(paths.hostConfig) }).map(
        ({ name }) => name,
      );
      const values = {
        '-p|--profile': profiles,
        '--engine': ['crun', 'podman'],
        'build|inspect|check|sbom|containerfile|rm': definedImages(paths.install),
      };
      const bash = renderBash(all, values);
      if (shell === 'fish') context.terminal.out(renderFish(all));
      else context.terminal.out(shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${bash}` : bash);
    });
}
