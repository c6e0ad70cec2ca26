// Owns the completion scripts of a command tree, for bash, zsh and fish.
import type { Command } from 'commander';
import { shownCommands } from './tree.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;

export interface Completion {
  readonly program: Command;
  /** Every name that the program is called by; the first is its own. */
  readonly names: readonly string[];
  /** Words after a flag or command: `-p|--profile` to names of profiles. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  /** Commands (`start|stop`) whose words are asked when they are wanted: the command line that prints them. */
  readonly asked: Readonly<Record<string, string>>;
}

interface Entry {
  readonly path: string;
  readonly words: readonly string[];
}

function entries(command: Command, path: string): Entry[] {
  const options = command.options.flatMap((option) =>
    option.long === null || option.long === undefined ? [] : [option.long],
  );
  const subs = shownCommands(command);
  const own: Entry = { path, words: [...subs.map((sub) => sub.name()), ...options, '--help'] };
  return [own, ...subs.flatMap((sub) => entries(sub, path === '' ? sub.name() : `${path} ${sub.name()}`))];
}

// One script serves bash and, through bashcompinit, zsh. Only names of ours are in it: letters, digits, "-", "_", ".".
function renderBash({ program, names, values, asked }: Completion): string {
  const all = entries(program, '');
  const cases = all.map(({ path, words }) => `\t'${path}') words='${words.join(' ')}' ;;`);
  const valueCases = Object.entries(values).map(([flags, found]) => `\t${flags}) words='${found.join(' ')}' ;;`);
  const askedCases = Object.entries(asked).map(([commands, line]) => `${commands}) words="$words $(${line})" ;;`);
  return [
    `_${names[0]}() {`,
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
    ...(askedCases.length === 0 ? [] : [`\tcase $path in ${askedCases.join(' ')} esac`]),
    '\tCOMPREPLY=($(compgen -W "$words" -- "$word"))',
    '}',
    `complete -o default -F _${names[0]} ${names.join(' ')}`,
    '',
  ].join('\n');
}

function renderFish({ program, names: [name = ''], asked }: Completion): string {
  const lines = entries(program, '').flatMap(({ path, words }) => {
    const condition = path === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${path.split(' ').at(-1)}`;
    const plain = words
      .filter((word) => !word.startsWith('-'))
      .map((word) => `complete -c ${name} -n '${condition}' -a '${word}'`);
    const long = words
      .filter((word) => word.startsWith('--'))
      .map((word) => `complete -c ${name} -n '${condition}' -l '${word.slice(2)}'`);
    return [...plain, ...long];
  });
  const dynamic = Object.entries(asked).flatMap(([commands, line]) =>
    commands.split('|').map((verb) => `complete -c ${name} -n '__fish_seen_subcommand_from ${verb}' -a "(${line})"`),
  );
  return `${[...lines, ...dynamic].join('\n')}\n`;
}

/** The script for `shell`, to be sourced by it. */
export function renderCompletion(shell: string, completion: Completion): string {
  if (shell === 'fish') return renderFish(completion);
  const bash = renderBash(completion);
  return shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${bash}` : bash;
}
