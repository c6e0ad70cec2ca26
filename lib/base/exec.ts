// Owns starting processes: the only file that imports execa. argv arrays only; the child gets the environment it is given.
import { type ExecaError, execa, execaSync } from 'execa';
import { CofferdamError } from './errors.ts';
import { printable } from './printable.ts';

export interface ExecOptions {
  /** The child's whole environment besides a fixed PATH and LANG. Nothing is inherited. */
  env?: Readonly<Record<string, string>>;
  cwd?: string;
  input?: string | Uint8Array;
  /** Milliseconds; the child is killed after it. Default 60,000; 0 is no limit. */
  timeoutMs?: number;
  /** Bytes kept of each stream; more is an error. Default 16 MiB. */
  maxBytes?: number;
  /** Exit statuses that are no failure. Default [0]. */
  accept?: readonly number[];
  uid?: number;
  gid?: number;
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
    timeout: options.timeoutMs ?? 60_000,
    maxBuffer: options.maxBytes ?? 16 << 20,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
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
      cause: raw as unknown as ExecaError,
    },
  );
}

/** Runs a host tool to its end. Throws TOOL_FAILED when it cannot start, times out, or exits otherwise than accepted. */
export async function runTool(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  return judge(file, args, await execa(file, args, childOptions(options)), options);
}

/** As runTool, blocking: for the few places before anything runs. */
export function runToolSync(file: string, args: readonly string[], options: ExecOptions = {}): ExecResult {
  return judge(file, args, execaSync(file, args, childOptions(options)), options);
}

export interface Streamed {
  /** Settles when the child has ended and its streams are closed. */
  readonly ended: Promise<{ exitCode: number | undefined; signal: string | undefined; startError: string | undefined }>;
  readonly pid: number | undefined;
  kill(signal: NodeJS.Signals): void;
}

export interface StreamOptions {
  env: Readonly<Record<string, string>>;
  cwd?: string;
  /** What fds 0, 1, 2 and on are: inherited, or a pipe whose chunks go to `onData`. */
  stdin: 'inherit' | 'ignore' | Uint8Array;
  stdout: 'inherit' | ((chunk: Uint8Array) => void);
  stderr: 'inherit' | ((chunk: Uint8Array) => void);
  uid?: number;
  gid?: number;
}

/** Starts a child whose output is passed on as it comes; nothing is buffered here. */
export function streamTool(file: string, args: readonly string[], options: StreamOptions): Streamed {
  const sink = (to: 'inherit' | ((chunk: Uint8Array) => void)) =>
    to === 'inherit' ? ('inherit' as const) : ('pipe' as const);
  const child = execa(file, args, {
    env: { ...options.env },
    extendEnv: false,
    reject: false,
    buffer: false,
    encoding: 'buffer',
    cleanup: false,
    stdout: sink(options.stdout),
    stderr: sink(options.stderr),
    ...(options.stdin instanceof Uint8Array ? { input: options.stdin } : { stdin: options.stdin }),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.uid === undefined ? {} : { uid: options.uid }),
    ...(options.gid === undefined ? {} : { gid: options.gid }),
  });
  if (typeof options.stdout === 'function') child.stdout?.on('data', options.stdout);
  if (typeof options.stderr === 'function') child.stderr?.on('data', options.stderr);
  return {
    pid: child.pid,
    kill: (signal) => {
      child.kill(signal);
    },
    ended: child.then((result) => ({
      exitCode: result.exitCode,
      signal: result.signal,
      startError:
        result.exitCode === undefined && result.signal === undefined ? (result.shortMessage ?? 'unknown') : undefined,
    })),
  };
}
