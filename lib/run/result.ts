// Owns the result of a run: the supervisor's record line, read back, and the object that callers get.
import type { ErrorCode } from '../base/catalogue.ts';
import { CofferdamError } from '../base/errors.ts';
import { idPattern } from '../base/ids.ts';
import type { PublishedPort } from './ports/publish.ts';

export type RunStatus = 'completed' | 'failed' | 'timeout' | 'oom' | 'cancelled' | 'refused';
export type EndReason = 'exited' | 'signal' | 'timeout' | 'idle' | 'oom' | 'cancelled' | 'output' | 'record' | 'launch';

/** One line of runs.log, as the supervisor wrote it. Times in ms since the epoch, bytes as produced by the program. */
export interface RunRecord {
  readonly id: string;
  readonly plan: string;
  readonly taskId: string | undefined;
  readonly jobId: string | undefined;
  readonly startedMs: number;
  readonly endedMs: number;
  readonly exitCode: number;
  readonly reason: EndReason;
  readonly stdoutBytes: number;
  readonly stderrBytes: number;
  readonly truncated: { readonly stdout: boolean; readonly stderr: boolean };
  readonly limits: RunLimits;
}

/** What became of the limits, beside `reason`. */
export interface RunLimits {
  /** Whether a fork was refused because of `limits.pids`. */
  readonly pidsHit: boolean;
  /** Limits that were not applied: only where both profile and host say best-effort. */
  readonly lacking: readonly ('memory' | 'pids' | 'cpus')[];
}

export interface Artifact {
  /** Path below /artifacts, as printable text. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly type: 'file';
}

export interface RunResult {
  /** Null only for a refused request that named none. */
  readonly id: string | null;
  readonly status: RunStatus;
  readonly exitCode: number | null;
  readonly signal: string | null;
  /** Why it ended, more exactly than `status`. */
  readonly reason: EndReason | 'refused';
  readonly startedAt: string;
  readonly endedAt: string;
  readonly durationMs: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: { readonly stdout: boolean; readonly stderr: boolean };
  readonly limits: RunLimits;
  readonly artifacts: readonly Artifact[];
  /** Files that were not copied out, and why. */
  readonly artifactsRefused: readonly { readonly path: string; readonly why: string }[];
  /** How many more were refused than are listed. */
  readonly artifactsRefusedMore: number;
  /** Requests that the proxy let out, and that it refused. */
  readonly egress: { readonly allowed: number; readonly denied: number };
  /** Why these counts are not known; they are 0 then. */
  readonly egressProblem?: string;
  /** Ports of the host that led inside while it ran. */
  readonly ports: readonly PublishedPort[];
  /** The signed receipt: absolute path, and `sha256:` with 64 hex digits over the file. null when it could not be made yet. */
  readonly receipt: { readonly file: string; readonly digest: string } | null;
  /** Why there is none yet; the next command makes it. */
  readonly receiptProblem?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether there is a copy to review, and what of a writable folder was moved away because it would run code on the host. */
  readonly workspace: {
    readonly copy: boolean;
    readonly setAside: readonly { readonly path: string; readonly kept: string }[];
  };
  /** Why it was refused; null for a run. Never with the remedy: see refusedResult. */
  readonly error: { readonly code: ErrorCode; readonly message: string; readonly details: readonly string[] } | null;
}

/**
 * The result of a request that was refused before a program ran. Without the remedy: what an agent reads never holds a
 * command that widens what it may do (DESIGN.md, Adversaries). `now` in ms since the epoch.
 */
export function refusedResult(error: CofferdamError, id: string | undefined, now: number): RunResult {
  const time = new Date(now).toISOString();
  return {
    // What is no id is not told back.
    id: id !== undefined && idPattern.test(id) ? id : null,
    status: 'refused',
    exitCode: error.exit,
    signal: null,
    reason: 'refused',
    startedAt: time,
    endedAt: time,
    durationMs: 0,
    stdout: '',
    stderr: '',
    truncated: { stdout: false, stderr: false },
    limits: { pidsHit: false, lacking: [] },
    artifacts: [],
    artifactsRefused: [],
    artifactsRefusedMore: 0,
    egress: { allowed: 0, denied: 0 },
    ports: [],
    receipt: null,
    labels: {},
    workspace: { copy: false, setAside: [] },
    error: { code: error.code, message: error.message, details: error.details },
  };
}

const linePattern =
  /^1 ([A-Za-z0-9_-]{1,64}) ([0-9a-f]{64}) ([A-Za-z0-9_-]{1,64}) ([A-Za-z0-9_-]{1,64}) ([0-9]{1,16}) ([0-9]{1,16}) ([0-9]{1,3}) (exited|signal|timeout|idle|oom|cancelled|output|record|launch) ([0-9]{1,19}) ([0-9]{1,19}) (-|(?=.)o?e?p?[mnc]{0,3})$/;

// lib/run/launch.ts writes them.
const limitLetters = [
  ['m', 'memory'],
  ['n', 'pids'],
  ['c', 'cpus'],
] as const;

/** A line of runs.log. Throws LAUNCH_FAILED for anything else: a record is never guessed. */
export function parseRecord(line: string): RunRecord {
  const match = linePattern.exec(line.trimEnd());
  if (match === null) throw new CofferdamError('LAUNCH_FAILED', 'the supervisor left no valid record of the run');
  const field = (at: number) => match[at] ?? '';
  const optional = (at: number) => (field(at) === '-' ? undefined : field(at));
  return {
    id: field(1),
    plan: `sha256:${field(2)}`,
    taskId: optional(3),
    jobId: optional(4),
    startedMs: Number(field(5)),
    endedMs: Number(field(6)),
    exitCode: Number(field(7)),
    reason: field(8) as EndReason,
    stdoutBytes: Number(field(9)),
    stderrBytes: Number(field(10)),
    truncated: { stdout: field(11).includes('o'), stderr: field(11).includes('e') },
    limits: {
      pidsHit: field(11).includes('p'),
      lacking: limitLetters.flatMap(([letter, name]) => (field(11).includes(letter) ? [name] : [])),
    },
  };
}

const signalNames: Readonly<Record<number, string>> = {
  1: 'SIGHUP',
  2: 'SIGINT',
  3: 'SIGQUIT',
  4: 'SIGILL',
  6: 'SIGABRT',
  7: 'SIGBUS',
  8: 'SIGFPE',
  9: 'SIGKILL',
  11: 'SIGSEGV',
  13: 'SIGPIPE',
  14: 'SIGALRM',
  15: 'SIGTERM',
  24: 'SIGXCPU',
  25: 'SIGXFSZ',
  31: 'SIGSYS',
};

/** The signal that an exit status of 128+n stands for, or null. A program may exit so by itself; nobody can tell. */
export function signalOf(exitCode: number): string | null {
  return signalNames[exitCode - 128] ?? null;
}

/** `status` of a record: a non-zero exit of the program is a result, not our failure. */
export function statusOf(record: Pick<RunRecord, 'reason' | 'exitCode'>): RunStatus {
  if (record.reason === 'timeout' || record.reason === 'idle') return 'timeout';
  if (record.reason === 'oom' || record.reason === 'cancelled') return record.reason;
  // Ours, not the program's: its output could not be passed on, or the run could not be recorded (a full disk).
  if (record.reason === 'output' || record.reason === 'record') return 'failed';
  if (record.reason === 'launch') return 'refused';
  return record.exitCode === 0 ? 'completed' : 'failed';
}
