// Owns `sandbox exec`. bin/sandbox answers the plain cases without us (lib/run/shell/exec.sh).
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import { parseDuration } from '../base/units.ts';
import { execInSandbox } from '../run/life/exec.ts';
import { findSandbox } from '../run/life/sandbox.ts';
import type { CliContext } from './context.ts';
import { repeatable } from './repeatable.ts';
import { requireTerminal } from './terminal.ts';

interface ExecFlags {
  interactive?: true;
  tty?: true;
  user?: string;
  env: string[];
  workdir?: string;
  detach?: true;
  timeout?: number;
}

const examples = `
Examples:
  sandbox exec work -- ls -l /workspace
  sandbox exec -it work -- bash
  echo data | sandbox exec -i work -- wc -c
  sandbox exec --timeout 30s -w /workspace work -- npm test
  id=$(sandbox exec -d work -- npm start); sandbox ps --execs; sandbox kill "$id"; sandbox wait "$id"

Exit status:
  as of sandbox run. What the command leaves running goes on in the sandbox; after a timeout or a signal nothing of it is left.`;

// commander takes an unknown option for the first word after the name; a program's name never starts with a dash.
function checkWords(name: string, argv: readonly string[], command: Command): void {
  const remedy = 'see: sandbox exec --help';
  const strange = [name, argv[0] ?? ''].find((word) => word.startsWith('-'));
  if (strange !== undefined) {
    const known = command.options.flatMap(({ long }) => (long === undefined || long === null ? [] : [long]));
    const option = strange.split('=')[0] ?? strange;
    throw new CofferdamError('USAGE', `unknown option ${printable(option, 60)}${didYouMean(option, known)}`, {
      remedy,
    });
  }
  if (argv.length === 0) throw new CofferdamError('USAGE', 'no command was given', { remedy });
}

function checkTerminal(flags: ExecFlags, { terminal }: CliContext): void {
  if (flags.detach === true && (flags.tty === true || flags.interactive === true)) {
    throw new CofferdamError('USAGE', 'a detached command has neither input nor a terminal', {
      remedy: 'leave -d out, or -i and -t',
    });
  }
  if (flags.tty === true) requireTerminal(terminal, flags.interactive === true);
}

/** `sandbox exec [-i] [-t] [-d] [-u UID] [-e K=V] [-w DIR] [--timeout T] NAME -- COMMAND...` */
export function execCommand(context: CliContext): Command {
  return createCommand('exec')
    .description('Run a command in a sandbox that runs')
    .argument('<sandbox>', 'name, id, or beginning of an id')
    .argument('<command...>', 'the program and its arguments')
    .option('-i, --interactive', 'pass our standard input on; otherwise the program has an empty one')
    .option('-t, --tty', 'give the program a terminal of its own; with -i it is used through ours')
    .option('-d, --detach', 'print the id of the execution and do not wait; its output is dropped')
    .option('-u, --user <uid[:gid]>', "only the sandbox's own user can be named")
    .option('-e, --env <name=value>', 'environment variable; repeatable; secrets are refused', repeatable, [])
    .option('-w, --workdir <dir>', 'working directory inside; otherwise that of the profile')
    .option('--timeout <duration>', 'wall-clock limit, such as 30s: then all that it started is ended', parseDuration)
    .passThroughOptions()
    .allowUnknownOption()
    .addHelpText('after', examples)
    .action(async (name: string, words: string[], flags: ExecFlags, command: Command) => {
      const argv = words[0] === '--' ? words.slice(1) : words;
      checkWords(name, argv, command);
      checkTerminal(flags, context);
      const sandbox = findSandbox(context.paths, name);
      const status = await execInSandbox(context.paths, sandbox, {
        argv,
        user: flags.user,
        env: flags.env,
        workdir: flags.workdir,
        timeoutMs: flags.timeout,
        stdin: flags.interactive === true,
        terminal: flags.tty === true,
        detached: flags.detach === true,
        signal: context.signal,
      });
      context.exit(status);
    });
}
