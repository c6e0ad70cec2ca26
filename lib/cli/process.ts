// Owns the process of each command of ours: arguments in, commands out, errors and exit status. It and streams.ts alone read process.* at large.
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { CommanderError } from 'commander';
import { CofferdamError, messageOf } from '../base/errors.ts';
import { resolvePaths } from '../base/paths.ts';
import { printable } from '../base/printable.ts';
import type { CliContext, Terminal } from './context.ts';
import { openTerminal } from './streams.ts';
import type { ProgramMaker } from './tree.ts';

/** Node's own status for a program that waits for what never comes. */
const unfinished = 13;

// Node replaces invalid UTF-8 in argv without a word; the program would get other bytes than the caller gave.
function checkArguments(): void {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(readFileSync('/proc/self/cmdline'));
  } catch (cause) {
    throw new CofferdamError('ARGUMENT_INVALID', 'an argument is not valid UTF-8', { cause });
  }
}

/** What a person reads when we fail: what happened, all findings, what to do. */
export function reportError(error: unknown, name: string, terminal: Terminal, debug: boolean): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  if (!(error instanceof CofferdamError)) {
    terminal.err(
      `${name}: unexpected: ${printable(messageOf(error), 500)}\n  run it again with COFFERDAM_DEBUG=1 and report what it prints\n`,
    );
    if (debug && error instanceof Error) terminal.err(`${error.stack ?? ''}\n`);
    return 125;
  }
  const prefix = terminal.errColour ? `\u001b[31m${name}:\u001b[0m` : `${name}:`;
  terminal.err(`${prefix} ${printable(error.message, 2000)}\n`);
  for (const detail of error.details.filter((line) => line !== error.message).slice(0, 20))
    terminal.err(`  ${printable(detail, 500)}\n`);
  terminal.err(`  ${printable(error.remedy, 500)}\n`);
  if (debug) terminal.err(`${error.stack ?? ''}\n`);
  return error.exit;
}

/** 130 after Ctrl-C, for what says that it was cancelled and for what was stopped by the signal itself; undefined otherwise. */
function statusOfCancelled(error: unknown, signal: AbortSignal): number | undefined {
  if (!signal.aborted) return undefined;
  const told = error instanceof CofferdamError && error.code === 'CANCELLED';
  const number = Object.entries(constants.signals).find(([name]) => name === signal.reason)?.[1];
  return number !== undefined && (told || error === signal.reason) ? 128 + number : undefined;
}

function cancelOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      // The second time we go at once; the supervisor dies with us and cleans up.
      if (controller.signal.aborted) process.exit(130);
      controller.abort(name);
    });
  }
  return controller.signal;
}

/** Runs the command line of `name` (`sandbox`, `firewall`) to its end; every failure becomes text on stderr and an exit status. */
export async function runProcess(name: string, createProgram: ProgramMaker): Promise<void> {
  const terminal = openTerminal();
  process.stdout.on('error', () => process.exit(125));
  // What nothing keeps alive any more, and did not end, has not succeeded.
  process.exitCode = unfinished;
  const debug = process.env['COFFERDAM_DEBUG'] === '1';
  const signal = cancelOnSignals();
  try {
    checkArguments();
    const built = dirname(import.meta.dirname);
    const root = dirname(built);
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    const uid = process.getuid?.() ?? -1;
    const context: CliContext = {
      paths: resolvePaths({ uid, env: process.env, install: root }),
      uid,
      gid: process.getgid?.() ?? -1,
      cwd: process.cwd(),
      env: process.env,
      terminal,
      version,
      signal,
      exit: (status) => {
        process.exitCode = status;
      },
    };
    const program = await createProgram(context, process.argv[2]);
    await program.parseAsync(process.argv);
    if (process.exitCode === unfinished) process.exitCode = 0;
  } catch (error) {
    process.exitCode = statusOfCancelled(error, signal) ?? reportError(error, name, terminal, debug);
  }
}
