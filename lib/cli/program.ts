// Owns the command tree of `sandbox`: name, help, usage errors; what each command does stands in its own file.
import type { Command } from 'commander';
import { sandboxVerbs } from './commands.ts';
import type { CliContext } from './context.ts';
import { growTree } from './tree.ts';

const about = 'Run untrusted tools in rootless, least-privilege OCI containers';
const examples = `
Examples:
  sandbox doctor
  sandbox run --profile python-tools -- python3 -c 'print("hello from inside")'
  sandbox profile ls
  sandbox image build python-tools`;

/** The tree; of its verbs only `verb`, where there is one of that name. Parsing throws CommanderError for bad usage, after saying what is wrong. */
export function createProgram(context: CliContext, verb?: string): Promise<Command> {
  return growTree({ name: 'sandbox', about, examples, verbs: sandboxVerbs(context, createProgram) }, context, verb);
}
