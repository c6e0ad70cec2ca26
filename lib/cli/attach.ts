// Owns `sandbox attach`, and what `sandbox start --attach` shares with it.
import { type Command, createCommand } from 'commander';
import { CofferdamError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { attachSandbox } from '../run/life/attach.ts';
import { parseDetachKeys, usualDetachKeys } from '../run/life/detachKeys.ts';
import { holdTerminal } from '../run/life/heldTerminal.ts';
import { endOfLog } from '../run/life/logs.ts';
import { findSandbox, logsFolder, type Sandbox } from '../run/life/sandbox.ts';
import { isLive, readState } from '../run/life/state.ts';
import { waitSandbox } from '../run/life/wait.ts';
import type { CliContext } from './context.ts';
import { finishAndTell } from './finish.ts';
import { onResize, readInput, terminalSize } from './streams.ts';
import { requireTerminal } from './terminal.ts';

export interface Attaching {
  /** Whether our stdin goes in, where the program takes any. */
  readonly stdin: boolean;
  readonly detachKeys: readonly number[];
}

/** Before anything is started. Throws USAGE when a terminal is needed and there is none. */
export function checkAttaching({ terminal }: CliContext, sandbox: Sandbox, { stdin }: Attaching): void {
  if (sandbox.tty) requireTerminal(terminal, stdin && sandbox.interactive);
}

function cancelledStatus({ reason }: AbortSignal): number {
  const statuses: Readonly<Record<string, number>> = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 };
  return statuses[String(reason)] ?? 130;
}

/** Attaches us from `offset` of its log on, to its end or until we leave; the exit status is its program's, or 0. */
export async function attachHere(
  context: CliContext,
  sandbox: Sandbox,
  offset: number,
  { stdin, detachKeys }: Attaching,
): Promise<void> {
  const { paths, terminal, signal } = context;
  const typed = stdin && sandbox.interactive;
  const held = sandbox.tty ? await holdTerminal(typed ? 'typed' : 'shown') : undefined;
  const { write } = terminal;
  const lost = (bytes: number) => terminal.err(`sandbox: ${bytes} bytes of output were gone before they were read\n`);
  const end = await attachSandbox(paths, sandbox, {
    offset,
    streams: { write, size: terminalSize, onResize, lost, read: typed ? readInput : undefined },
    detachKeys: sandbox.tty ? detachKeys : [],
    signal,
  }).finally(() => held?.release());
  if (end === 'aborted') return context.exit(cancelledStatus(signal));
  if (end === 'left') return terminal.err(`\nsandbox: left ${printable(sandbox.name)}, which goes on\n`);
  const { exitCode } = await waitSandbox(paths, sandbox, signal);
  await finishAndTell(context, sandbox);
  context.exit(exitCode);
}

const examples = `
Examples:
  sandbox create -p base-tools --name shell -it -- bash; sandbox start -a shell
  sandbox attach shell
  echo data | sandbox attach filter

Keys to leave: ${usualDetachKeys}. Without a terminal inside, Ctrl-C leaves. The sandbox goes on either way, and what it writes is in
its log as well (sandbox logs). Only a program that was created with -i takes what is typed.
Exit status: that of the sandbox's program; 0 when it was left by the keys.`;

/** Adds what attaching takes; `where` is put before the text of each. */
export function addAttachOptions(command: Command, where = ''): Command {
  return command
    .option('--no-stdin', `${where}pass nothing on`)
    .option(
      '--detach-keys <keys>',
      `${where}leave by these in a terminal, such as ctrl-], or "" by none`,
      parseDetachKeys,
      parseDetachKeys(usualDetachKeys),
    );
}

/** `sandbox attach [--no-stdin] [--detach-keys KEYS] NAME` */
export function attachCommand(context: CliContext): Command {
  const command = createCommand('attach')
    .description('Show what a sandbox writes from now on, and pass on what is typed, until it ends or is left')
    .argument('<sandbox>', 'name, id, or beginning of an id');
  return addAttachOptions(command)
    .addHelpText('after', examples)
    .action(async (name: string, attaching: Attaching) => {
      const sandbox = findSandbox(context.paths, name);
      const state = readState(context.paths, sandbox);
      if (!isLive(state))
        throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} does not run: it is ${state.status}`, {
          remedy: `sandbox start -a ${sandbox.name}`,
        });
      checkAttaching(context, sandbox, attaching);
      await attachHere(context, sandbox, endOfLog(logsFolder(context.paths, sandbox.id)), attaching);
    });
}
