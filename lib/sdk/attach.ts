// Owns attaching a library's caller to a sandbox that lives on: what comes out, what goes in, and how it ended.
import { CofferdamError } from '../base/errors.ts';
import { type AttachedStreams, attachSandbox } from '../run/life/attach.ts';
import { endOfLog } from '../run/life/logs.ts';
import { logsFolder, type Sandbox } from '../run/life/sandbox.ts';
import { isLive, readState } from '../run/life/state.ts';
import type { TerminalSize } from '../run/life/typing.ts';
import { waitSandbox } from '../run/life/wait.ts';
import type { Host } from '../run/prepare.ts';

export interface AttachOptions {
  /** Told each piece of its standard output; what a promise of it waits for comes before the next piece. */
  readonly stdout?: (bytes: Uint8Array) => unknown;
  /** The same for standard error; a terminal has none of its own. */
  readonly stderr?: (bytes: Uint8Array) => unknown;
  /**
   * Goes to its program, as fast as that takes it; at its end the program's input ends, unless that is a terminal. Only for one
   * that was created with `interactive`. A Readable is one. Default: nothing goes in, and its input stays open.
   */
  readonly stdin?: Uint8Array | string | AsyncIterable<Uint8Array | string>;
  /**
   * `start`: also what its log holds from before, at most the newest 64 MiB; one that has ended already is no failure then.
   * Default `now`.
   */
  readonly from?: 'now' | 'start';
  /** Of the caller's terminal, for one that was created with `tty`. */
  readonly size?: TerminalSize;
  /** Aborting leaves; the sandbox goes on. */
  readonly signal?: AbortSignal;
}

export interface AttachResult {
  /** `ended`: the sandbox has. `aborted`: we left, and it goes on. */
  readonly end: 'ended' | 'aborted';
  /** Of its program; null when it goes on. */
  readonly exitCode: number | null;
}

type Input = NonNullable<AttachOptions['stdin']>;
type Take = (bytes: Uint8Array | undefined) => Promise<void>;

async function* inPieces(input: Input): AsyncGenerator<Uint8Array> {
  if (typeof input === 'string' || input instanceof Uint8Array) yield Buffer.from(input);
  else for await (const piece of input) yield Buffer.from(piece);
}

/** Hands over the input, one piece after the other. `fail` is told when it breaks. */
function readFrom(input: Input, fail: (error: unknown) => void): NonNullable<AttachedStreams['read']> {
  return (take: Take) => {
    const pieces = inPieces(input);
    let stopped = false;
    const pass = async () => {
      for await (const piece of pieces) {
        if (stopped) return;
        await take(piece);
      }
      if (!stopped) await take(undefined);
    };
    void pass().catch((error: unknown) => {
      if (!stopped) fail(error);
    });
    return () => {
      stopped = true;
    };
  };
}

function refuseUnfit(sandbox: Sandbox, host: Host, { from, stdin }: AttachOptions): void {
  const { name, interactive, run } = sandbox;
  const state = readState(host.paths, sandbox);
  if (!isLive(state) && (from !== 'start' || run === null))
    throw new CofferdamError('SANDBOX_STATE', `${name} does not run: it is ${state.status}`, {
      remedy: 'start it first',
    });
  if (stdin !== undefined && !interactive)
    throw new CofferdamError('SANDBOX_STATE', `${name} was not created to take input`, {
      remedy: 'create it with interactive: true',
    });
}

/** As Sandbox.attach says. */
export async function attachCaller(sandbox: Sandbox, host: Host, options: AttachOptions): Promise<AttachResult> {
  refuseUnfit(sandbox, host, options);
  const { stdout, stderr, stdin, from = 'now', size, signal = host.signal } = options;
  const { paths, notice } = host;
  const broken = new AbortController();
  const end = await attachSandbox(paths, sandbox, {
    offset: from === 'start' ? 0 : endOfLog(logsFolder(paths, sandbox.id)),
    streams: {
      write: async (stream, bytes) => {
        await (stream === 'stdout' ? stdout : stderr)?.(bytes);
      },
      lost: (bytes) => notice(`${bytes} bytes of output of ${sandbox.name} were gone before they were read`),
      read: stdin === undefined ? undefined : readFrom(stdin, (error) => broken.abort(error)),
      size: () => size,
      onResize: () => () => undefined,
    },
    detachKeys: [],
    signal: AbortSignal.any([signal, broken.signal]),
  });
  if (broken.signal.aborted) throw broken.signal.reason;
  if (end !== 'ended') return { end: 'aborted', exitCode: null };
  const { exitCode } = await waitSandbox(paths, sandbox, signal);
  return { end, exitCode };
}
