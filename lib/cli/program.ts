// Owns the command tree: name, help, usage errors; what each command does stands in its own file.
import { type Command, createCommand } from 'commander';
import { addCommands } from './commands.ts';
import type { CliContext } from './context.ts';

const examples = `
Examples:
  sandbox doctor
  sandbox run --profile python-tools -- python3 -c 'print("hello from inside")'
  sandbox profile ls
  sandbox image build python-tools`;

/** `sandbox image build` for the command that says it. */
function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}

function settle(command: Command, context: CliContext): void {
  const { out, err } = context.terminal;
  command.exitOverride().configureOutput({
    writeOut: out,
    writeErr: err,
    outputError: (text, write) => write(`sandbox: ${text.replace(/^error: /, '')}  see: ${pathOf(command)} --help\n`),
  });
  for (const sub of command.commands) settle(sub, context);
}

/** The whole tree. Parsing throws CommanderError for bad usage, after saying what is wrong. */
export function createProgram(context: CliContext): Command {
  const program = createCommand('sandbox')
    .description('Run untrusted tools in rootless, least-privilege OCI containers')
    .version(context.version)
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .addHelpText('after', examples);
  addCommands(program, context);
  settle(program, context);
  return program;
}
