// Owns what both programs do with a tree of commands: where it prints, how it says what is wrong, what of it is shown.
import type { Command } from 'commander';
import type { CliContext } from './context.ts';

/** `sandbox image build` for the command that says it. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function programOf(command: Command): string {
  return command.parent === null ? command.name() : programOf(command.parent);
}

/** Gives every command of a tree our streams and our way to say what is wrong, after the name of its program. */
export function settle(command: Command, context: CliContext): void {
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
