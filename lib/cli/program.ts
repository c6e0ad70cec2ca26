// Owns the command tree: name, help, usage errors; what each command does stands in its own file.
import { type Command, createCommand } from 'commander';
import { addCommands } from './commands.ts';
import type { CliContext } from './context.ts';
import { settle } from './tree.ts';

const examples = `
Examples:
  sandbox doctor
  sandbox run --profile python-tools -- python3 -c 'print("hello from inside")'
  sandbox profile ls
  sandbox image build python-tools`;

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
