// Owns a command of ours without a process of its own: what it prints, as text, and its exit status. It stands here because it goes into
// the machine with the guest's files; modules of lib are given to it.
import type { CliContext, Terminal } from '../../../lib/cli/context.ts';
import type * as ProcessFile from '../../../lib/cli/process.ts';
import type { ProgramMaker } from '../../../lib/cli/tree.ts';

export interface Captured {
  readonly terminal: Terminal;
  readonly said: { stdout: string; stderr: string };
}

/** Streams that are no terminals and keep what is printed; `onOut` is told as well. */
export function captureStreams(onOut?: (text: string) => void): Captured {
  const said = { stdout: '', stderr: '' };
  const terminal: Terminal = {
    out: (text) => {
      said.stdout += text;
      onOut?.(text);
    },
    err: (text) => {
      said.stderr += text;
    },
    write: async (stream, bytes) => {
      said[stream] += Buffer.from(bytes).toString('utf8');
    },
    outColour: false,
    errColour: false,
    inIsTerminal: false,
    outIsTerminal: false,
    errIsTerminal: false,
  };
  return { terminal, said };
}

export interface Command extends Pick<CliContext, 'paths' | 'env' | 'version'> {
  readonly name: 'sandbox' | 'firewall';
  readonly create: ProgramMaker;
  readonly reportError: typeof ProcessFile.reportError;
  /** Whether failures come with traces. */
  readonly debug: boolean;
}

/** The caller, its folder and umask are our process's. Not for what passes the output of a program on. */
export async function callInProcess(command: Command, args: readonly string[]) {
  const { name, create, reportError, debug, ...given } = command;
  const { terminal, said } = captureStreams();
  let status = 0;
  const context: CliContext = {
    ...given,
    uid: process.getuid?.() ?? -1,
    gid: process.getgid?.() ?? -1,
    cwd: process.cwd(),
    terminal,
    signal: new AbortController().signal,
    exit: (value) => {
      status = value;
    },
  };
  try {
    const program = await create(context, args[0]);
    await program.parseAsync(['node', name, ...args]);
  } catch (error) {
    status = reportError(error, name, terminal, debug);
  }
  return { status, ...said };
}
