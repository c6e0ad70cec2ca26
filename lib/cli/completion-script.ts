// Owns the completion scripts of a command tree, for bash, zsh and fish. Names in them are ours: letters, digits, "-", "_", ".".
import { type Completion, type Flag, type Place, placesOf } from './completion-tree.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;

/** Where the words so far lead, as the scripts ask it: the place before, a blank, the next word. Every place but the program. */
function stepsTo(places: readonly Place[]): (readonly [step: string, path: string])[] {
  const below = places.filter(({ path }) => path !== '');
  return below.map(({ path }) => [path.includes(' ') ? path : ` ${path}`, path] as const);
}

const namesOf = ({ short, long }: Flag) => (short === undefined ? [long] : [short, long]);

/** `'run -p'|'run --profile') DOES ;;`: words with the same thing to do share a line. */
function renderShared(cases: readonly (readonly [word: string, does: string])[]): string[] {
  const groups = new Map<string, string[]>();
  for (const [word, does] of cases) groups.set(does, [...(groups.get(does) ?? []), `'${word}'`]);
  return [...groups].map(([does, words]) => `\t${words.join('|')}) ${does} ;;`);
}

/** What bash and zsh have in common: from the words before, and the one just before, to what is offered. `files` offers those alone. */
function renderCases(places: readonly Place[], files: string): string[] {
  const values = places.flatMap(({ path, flags }) =>
    flags.flatMap((flag) => {
      const does = flag.values.length === 0 ? files : `offered='${flag.values.join(' ')}'`;
      return flag.takesValue ? namesOf(flag).map((name) => [`${path} ${name}`, does] as const) : [];
    }),
  );
  const offers = places.map(({ path, commands, flags, words }) => {
    const all = [...commands.map(({ name }) => name), ...words, ...flags.map(({ long }) => long)];
    return [path, `offered='${all.join(' ')}'`] as const;
  });
  const asked = places.flatMap(({ path, asked: line }) =>
    line === undefined ? [] : [[path, `offered="$offered $(${line})"`] as const],
  );
  return [
    `\t\tcase $part in --) ${files} ;; -*) ;; *) case "$at $part" in`,
    ...stepsTo(places).map(([step, path]) => `\t\t\t'${step}') at='${path}' ;;`),
    '\t\tesac ;; esac',
    '\tdone',
    '\tcase "$at $before" in',
    ...renderShared(values),
    '\t*) case $at in',
    ...renderShared(offers),
    '\tesac',
    ...(asked.length === 0 ? [] : ['\tcase $at in', ...renderShared(asked), '\tesac']),
    '\t;; esac',
  ];
}

function renderBash(places: readonly Place[], names: readonly string[]): string[] {
  return [
    `_${names[0]}() {`,
    '\tlocal word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} at="" part offered=""',
    '\tfor part in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    ...renderCases(places, 'return'),
    '\tCOMPREPLY=($(compgen -W "$offered" -- "$word"))',
    '}',
    `complete -o default -F _${names[0]} ${names.join(' ')}`,
  ];
}

// To be sourced, or put into a folder of $fpath as `_sandbox`: then the file is the function, and the first call defines it.
function renderZsh(places: readonly Place[], names: readonly string[]): string[] {
  const own = `_${names[0]}`;
  return [
    `#compdef ${names.join(' ')}`,
    `${own}() {`,
    '\tlocal before=${words[CURRENT-1]} at="" part offered=""',
    '\tfor part in "${(@)words[2,CURRENT-1]}"; do',
    ...renderCases(places, '_default; return'),
    '\tcompadd -- ${=offered} || _default',
    '}',
    `if [ "$funcstack[1]" = ${own} ]; then ${own} "$@"; else`,
    '\t(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }',
    `\tcompdef ${own} ${names.join(' ')}`,
    'fi',
  ];
}

const quoteFish = (text: string) => `'${text.replaceAll(/[\\']/g, '\\$&')}'`;

function renderFish(places: readonly Place[], [name = '', ...others]: readonly string[]): string[] {
  const lines = places.flatMap(({ path, commands, flags, words, asked, takesFiles }) => {
    const start = `complete -c ${name} -n "__${name}_at '${path}'"`;
    const isNamed = commands.length + words.length > 0 || asked !== undefined;
    return [
      ...(isNamed && !takesFiles ? [`${start} -f`] : []),
      ...commands.map((sub) => `${start} -a '${sub.name}' -d ${quoteFish(sub.about)}`),
      ...(words.length > 0 ? [`${start} -a '${words.join(' ')}'`] : []),
      ...(asked === undefined ? [] : [`${start} -a "(${asked})"`]),
      ...flags.map(({ short, long, about, takesValue, values }) => {
        const known = values.length > 0 ? ` -x -a '${values.join(' ')}'` : ' -r';
        const letter = short === undefined ? '' : ` -s ${short.slice(1)}`;
        return `${start} -l ${long.slice(2)}${letter}${takesValue ? known : ''} -d ${quoteFish(about)}`;
      }),
    ];
  });
  return [
    `function __${name}_at`,
    "\tset -l at ''",
    '\tfor part in (commandline -opc)[2..-1]',
    '\t\ttest "$part" = --; and return 1',
    '\t\tswitch "$at $part"',
    ...stepsTo(places).map(([step, path]) => `\t\t\tcase '${step}'; set at '${path}'`),
    '\t\tend',
    '\tend',
    '\ttest "$at" = "$argv[1]"',
    'end',
    ...lines,
    ...others.map((other) => `complete -c ${other} -w ${name}`),
  ];
}

/** The script for `shell`, to be sourced by it. */
export function renderCompletion(shell: string, completion: Completion): string {
  const render = shell === 'fish' ? renderFish : shell === 'zsh' ? renderZsh : renderBash;
  return `${render(placesOf(completion), completion.names).join('\n')}\n`;
}
