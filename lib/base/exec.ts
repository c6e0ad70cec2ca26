// Owns starting processes: the only file that loads execa. argv arrays only; the child gets the environment it is given.
import type { Readable } from 'node:stream';
import type * as Execa from 'execa';
import { CofferdamError } from './errors.ts';
import { onDemand } from './onDemand.ts';
import { printable } from './printable.ts';

const library = onDemand<typeof Execa>('execa');

export interface ExecOptions {
  /** The child's whole environment besides a fixed PATH and LANG. Nothing is inherited. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  input?: string | Uint8Array;
  /** Milliseconds; the child is killed after it. Default 300,000: it guards against hanging, on whatever host; 0 is no limit. */
  timeoutMs?: number;
  /** Bytes kept of each stream; more is an error. Default 16 MiB. */
  maxBytes?: number;
  /** Exit statuses that are no failure. Default [0]. */
  accept?: readonly number[];
  uid?: number;
  gid?: number;
  /** An open descriptor of ours that becomes the child's stdin, instead of an empty one or `input`. */
  stdin?: number;
}

export interface ExecResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** PATH of every child of ours: the host's standard folders, never the caller's. */
export const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

function childOptions(options: ExecOptions) {
  return {
    env: { PATH: systemPath, LANG: 'C.UTF-8', ...options.env },
    extendEnv: false,
    reject: false,
    stripFinalNewline: false,
    timeout: options.timeoutMs ?? 300_000,
    maxBuffer: options.maxBytes ?? 16 << 20,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
    // A descriptor is any number; execa's types know a few of them.
    ...(options.input === undefined ? { stdin: (options.stdin ?? 'ignore') as 'ignore' } : { input: options.input }),
  };
}

interface RawResult {
  exitCode?: number | undefined;
  stdout?: unknown;
  stderr?: unknown;
  signal?: string | undefined;
  timedOut?: boolean;
  code?: string | undefined;
  shortMessage?: string | undefined;
}

function judge(file: string, args: readonly string[], raw: RawResult, options: ExecOptions): ExecResult {
  const stdout = typeof raw.stdout === 'string' ? raw.stdout : '';
  const stderr = typeof raw.stderr === 'string' ? raw.stderr : '';
  const accept = options.accept ?? [0];
  if (raw.exitCode !== undefined && raw.timedOut !== true && accept.includes(raw.exitCode)) {
    return { exitCode: raw.exitCode, stdout, stderr };
  }
  const why =
    raw.code === 'ENOENT'
      ? 'is not installed'
      : raw.timedOut === true
        ? 'took too long'
        : raw.signal !== undefined
          ? `was ended by ${raw.signal}`
          : raw.exitCode === undefined
            ? `could not be started (${raw.code ?? printable(raw.shortMessage ?? '')})`
            : `failed with status ${raw.exitCode}`;
  const last = stderr.trim().split('\n').slice(-3).join(' | ');
  throw new CofferdamError(
    'TOOL_FAILED',
    `${[file, ...args.slice(0, 2)].join(' ')} ${why}${last === '' ? '' : `: ${printable(last, 400)}`}`,
    {
      cause: raw as unknown as Execa.ExecaError,
    },
  );
}

/** A NUL would end the argument early for the child; execa throws an error of its own, which no caller expects. */
function refuseNul(file: string, args: readonly string[]): void {
  if (![file, ...args].some((word) => word.includes('\0'))) return;
  throw new CofferdamError('ARGUMENT_INVALID', `an argument of ${printable(file)} holds a NUL`);
}

/** Runs a host tool to its end. Throws TOOL_FAILED when it cannot start, times out, or exits otherwise than accepted; ARGUMENT_INVALID for a NUL. */
export async function runTool(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  refuseNul(file, args);
  return judge(file, args, await library().execa(file, args, childOptions(options)), options);
}

/** As runTool, blocking: for the few places before anything runs. */
export function runToolSync(file: string, args: readonly string[], options: ExecOptions = {}): ExecResult {
  refuseNul(file, args);
  return judge(file, args, library().execaSync(file, args, childOptions(options)), options);
}

export interface Streamed {
  /** Settles when the child has ended and its streams are closed. */
  readonly ended: Promise<{ exitCode: number | undefined; signal: string | undefined; startError: string | undefined }>;
  readonly pid: number | undefined;
  /** To the child alone, or to its whole process group when it was started as detached `group`. */
  kill(signal: NodeJS.Signals): void;
  /** Closes a stdin that is held open. */
  release(): void;
}

export interface StreamOptions {
  env: Readonly<Record<string, string>>;
  cwd?: string;
  /**
   * `hold`: a pipe that stays open until release() or our death, whichever comes first. What is iterated is taken as fast as
   * the child reads; it must not throw.
   */
  stdin: 'inherit' | 'ignore' | 'hold' | Uint8Array | AsyncIterable<Uint8Array>;
  /** Given a promise, the child's next bytes wait until it is settled. */
  stdout: 'inherit' | ((chunk: Uint8Array) => void | Promise<void>);
  stderr: 'inherit' | ((chunk: Uint8Array) => void);
  /** Makes fd 3 a pipe whose chunks come here. */
  result?: (chunk: Uint8Array) => void;
  uid?: number;
  gid?: number;
  /** In a session of its own: a Ctrl-C at the terminal does not reach it. kill() reaches all of its group, or it alone. */
  detached?: 'group' | 'alone';
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // The group is gone: there is nothing left to signal.
  }
}

function isIterable(stdin: StreamOptions['stdin']): stdin is AsyncIterable<Uint8Array> {
  return typeof stdin === 'object' && Symbol.asyncIterator in stdin;
}

function passOn(from: Readable | null | undefined, to: (chunk: Uint8Array) => void | Promise<void>): void {
  from?.on('data', (chunk: Uint8Array) => {
    const taken = to(chunk);
    if (taken === undefined) return;
    from.pause();
    const resume = () => void from.resume();
    taken.then(resume, resume);
  });
}

/** Starts a child whose output is passed on as it comes; nothing is buffered here. */
export function streamTool(file: string, args: readonly string[], options: StreamOptions): Streamed {
  refuseNul(file, args);
  const sink = (to: 'inherit' | ((chunk: Uint8Array) => void)) =>
    to === 'inherit' ? ('inherit' as const) : ('pipe' as const);
  const { stdin: given } = options;
  const stdin = given === 'inherit' || given === 'ignore' || isIterable(given) ? given : 'pipe';
  const child = library().execa(file, args, {
    env: { ...options.env },
    extendEnv: false,
    reject: false,
    buffer: false,
    encoding: 'buffer',
    cleanup: false,
    detached: options.detached !== undefined,
    stdio: [
      stdin,
      sink(options.stdout),
      sink(options.stderr),
      ...(options.result === undefined ? [] : ['pipe' as const]),
    ],
    ...(given instanceof Uint8Array ? { input: given } : {}),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  if (typeof options.stdout === 'function') passOn(child.stdout, options.stdout);
  if (typeof options.stderr === 'function') child.stderr?.on('data', options.stderr);
  if (options.result !== undefined) child.stdio[3]?.on('data', options.result);
  return {
    pid: child.pid,
    kill: (signal) => {
      if (options.detached !== 'group' || child.pid === undefined) child.kill(signal);
      else signalGroup(child.pid, signal);
    },
    release: () => {
      child.stdin?.end();
    },
    ended: child.then((result) => ({
      exitCode: result.exitCode,
      signal: result.signal,
      startError:
        result.exitCode === undefined && result.signal === undefined ? (result.shortMessage ?? 'unknown') : undefined,
    })),
  };
}

export interface Detached {
  readonly pid: number | undefined;
  /** Settles when the child has ended, unless we forgot it. */
  readonly ended: Promise<{ exitCode: number | undefined; signal: string | undefined; startError: string | undefined }>;
  /** From here on it does not keep us alive; nor does our end touch it. */
  forget(): void;
}

export interface DetachedOptions {
  env: Readonly<Record<string, string>>;
  /** A descriptor of ours for its stderr, and one for fd 3. Its stdin and stdout are empty. */
  stderr: number;
  result: number;
}

/** Starts a child in a session of its own, in the root folder: it outlives us, and holds nothing of ours but these files. */
export function startDetached(file: string, args: readonly string[], options: DetachedOptions): Detached {
  refuseNul(file, args);
  const child = library().execa(file, args, {
    env: { ...options.env },
    extendEnv: false,
    reject: false,
    buffer: false,
    cleanup: false,
    detached: true,
    cwd: '/',
    // A descriptor is any number; execa's types know a few of them.
    stdio: ['ignore', 'ignore', options.stderr as 2, options.result as 2],
  });
  return {
    pid: child.pid,
    forget: () => child.nodeChildProcess.unref(),
    ended: child.then(({ exitCode, signal, shortMessage }) => ({
      exitCode,
      signal,
      startError: exitCode === undefined && signal === undefined ? (shortMessage ?? 'unknown') : undefined,
    })),
  };
}
