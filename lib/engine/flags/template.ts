// Owns the spec's placeholders as words of a script: where config.json gets text filled in, flags get variables.
import { templateVariables } from '../../spec/placeholders.ts';
import { type LaunchVariable, type ShellWord, variable } from '../words.ts';

const variables: Readonly<Record<string, LaunchVariable>> = templateVariables;

const pattern = new RegExp(`(${Object.keys(variables).join('|')})`);

/** `text` with its placeholders as variables. */
export function fillIn(text: string): ShellWord {
  return text
    .split(pattern)
    .filter((piece) => piece !== '')
    .map((piece) => {
      const name = variables[piece];
      return name === undefined ? piece : variable(name);
    });
}

/** Words joined to one. */
export function join(...words: readonly ShellWord[]): ShellWord {
  return words.flatMap((word) => (typeof word === 'string' ? [word] : [...word]));
}
