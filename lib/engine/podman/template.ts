// Owns the spec's placeholders as words of a script: where config.json gets text filled in, flags get variables.
import { type LaunchVariable, type ShellWord, variable } from '../words.ts';

/** Tokens of lib/run/placeholders.ts (a higher rank; a test compares the two) → variable of the launcher. */
export const templateVariables: Readonly<Record<string, LaunchVariable>> = {
  '@@RUN_ID@@': 'id',
  '@@TASK_ID@@': 'task',
  '@@JOB_ID@@': 'job',
  '@@WORKSPACE@@': 'workspace',
  '4199999901': 'root_uid',
  '4199999902': 'program_uid',
  '4199999903': 'root_gid',
  '4199999904': 'program_gid',
};

const pattern = new RegExp(`(${Object.keys(templateVariables).join('|')})`);

/** `text` with its placeholders as variables. */
export function fillIn(text: string): ShellWord {
  return text
    .split(pattern)
    .filter((piece) => piece !== '')
    .map((piece) => {
      const name = templateVariables[piece];
      return name === undefined ? piece : variable(name);
    });
}

/** Words joined to one. */
export function join(...words: readonly ShellWord[]): ShellWord {
  return words.flatMap((word) => (typeof word === 'string' ? [word] : [...word]));
}
