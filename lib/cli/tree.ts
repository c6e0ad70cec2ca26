// Owns what both programs do with a tree of commands: how it grows, where it prints, how it says what is wrong, what of it is shown.
import { type Command, createCommand } from 'commander';
import type { CliContext } from './context.ts';

/** A program with one verb, where `verb` names one, or with all. */
export type ProgramMaker = (context: CliContext, verb?: string) => Promise<Command>;

/** How each verb is loaded, by its name; or several by their names, with a blank between them. In the order of the help text. */
export type Verbs = Readonly<Record<string, () => Promise<Command | readonly Command[]>>>;

export interface ProgramParts {
  readonly name: string;
  readonly about: string;
  /** What follows the help text. */
  readonly examples: string;
  readonly verbs: Verbs;
}

/** `sandbox image build` for the command that says it. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function programOf(command: Command): string {
  return command.parent === null ? command.name() : programOf(command.parent);
}

// Loading a verb costs more than most verbs take: where the first word says which one is meant, the others stay away.
function pickLoaders(verbs: Verbs, verb: string | undefined): Verbs[string][] {
  if (verb === '--version' || verb === '-V') return [];
  const named = Object.entries(verbs).filter(([names]) => verb !== undefined && names.split(' ').includes(verb));
  return named.length > 0 ? named.map(([, load]) => load) : Object.values(verbs);
}

/** The whole tree of a program; with the name of one of its verbs no more than what that needs. */
export async function growTree(parts: ProgramParts, context: CliContext, verb: string | undefined): Promise<Command> {
  const program = createCommand(parts.name)
    .description(parts.about)
    .version(context.version)
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .addHelpText('after', parts.examples);
  const grown = await Promise.all(pickLoaders(parts.verbs, verb).map((load) => load()));
  for (const command of grown.flat()) program.addCommand(command);
  settle(program, context);
  return program;
}

/** Gives every command of a tree our streams and our way to say what is wrong, after the name of its program. */
function settle(command: Command, context: CliContext): void {
  const { out, err } = context.terminal;
  command.exitOverride().configureOutput({
    writeOut: out,
    writeErr: err,
    outputError: (text, write) =>
      write(`${programOf(command)}: ${text.replace(/^error: /, '')}  see: ${pathOf(command)} --help\n`),
  });
  for (const sub of command.commands) settle(sub, context);
}

/** The commands that --help lists; `help` itself is not one. */
export function shownCommands(command: Command): Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((sub) => command.commands.includes(sub));
}
