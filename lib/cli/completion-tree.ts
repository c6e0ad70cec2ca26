// Owns what there is to complete at each place of a command tree.
import type { Command, Option } from 'commander';
import { shownCommands } from './tree.ts';

export interface Completion {
  readonly program: Command;
  /** Every name that the program is called by; the first is its own. */
  readonly names: readonly string[];
  /** What may follow a flag, by its long name: `--profile` to names of profiles. Choices of the tree are known without. */
  readonly values: Readonly<Record<string, readonly string[]>>;
  /** What may follow a command, by its path (`image build`). */
  readonly words: Readonly<Record<string, readonly string[]>>;
  /** The same, asked when it is wanted: the command line that prints it, a word a line. */
  readonly asked: Readonly<Record<string, string>>;
  /** Paths of commands with words that take files as well. */
  readonly files: readonly string[];
}

export interface Flag {
  /** `-p`, or undefined. */
  readonly short: string | undefined;
  readonly long: string;
  readonly about: string;
  readonly takesValue: boolean;
  /** What the value may be, where that is known. */
  readonly values: readonly string[];
}

export interface Place {
  /** `` for the program, `image build` for a command. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly about: string }[];
  readonly flags: readonly Flag[];
  readonly words: readonly string[];
  readonly asked: string | undefined;
  readonly takesFiles: boolean;
}

const help: Flag = { short: '-h', long: '--help', about: 'display help', takesValue: false, values: [] };

function flagOf(option: Option, values: Completion['values']): Flag[] {
  const { short, long, description, required, optional, argChoices } = option;
  if (long === null || long === undefined || option.hidden) return [];
  const known = argChoices ?? values[long] ?? [];
  return [{ short: short ?? undefined, long, about: description, takesValue: required || optional, values: known }];
}

function placesBelow(command: Command, path: string, completion: Completion): Place[] {
  const commands = shownCommands(command);
  const own: Place = {
    path,
    commands: commands.map((sub) => ({ name: sub.name(), about: sub.summary() || sub.description() })),
    flags: [...command.options.flatMap((option) => flagOf(option, completion.values)), help],
    words: [
      ...command.registeredArguments.flatMap(({ argChoices }) => argChoices ?? []),
      ...(completion.words[path] ?? []),
    ],
    asked: completion.asked[path],
    takesFiles: completion.files.includes(path),
  };
  const below = (sub: Command) => placesBelow(sub, path === '' ? sub.name() : `${path} ${sub.name()}`, completion);
  return [own, ...commands.flatMap(below)];
}

/** Every place of the tree, the program first. */
export function placesOf(completion: Completion): Place[] {
  return placesBelow(completion.program, '', completion);
}
