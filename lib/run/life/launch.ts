// Owns launching the run of a sandbox: its bindings, its files, and waiting until the program runs or did not.
import { closeSync, constants, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { type Detached, startDetached, systemPath } from '../../base/exec.ts';
import { diskError, ensureDirectory, writeFileAtomic } from '../../base/files.ts';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { requireTool } from '../../engine/tools.ts';
import { quoteLiteral } from '../../engine/words.ts';
import { endedBy } from '../cancel.ts';
import { sweepFolders } from '../claimSweep.ts';
import { refuseFailure } from '../invoke.ts';
import { publishWord } from '../ports/publish.ts';
import { parseRecord, type RunRecord } from '../result.ts';
import type { LeasedWay } from '../wayOut.ts';
import { logsFolder, type Sandbox, sandboxFolder } from './sandbox.ts';
import { resultFile } from './state.ts';
import type { TerminalSize } from './typing.ts';

// The launcher needs milliseconds, a daemon's client seconds; on a slow host under load, a minute.
const patienceMs = 300_000;
const lookMs = 5;
const mostMessages = 16_384;

export interface LaunchRequest {
  readonly paths: Paths;
  readonly sandbox: Sandbox;
  /** The run that is started: `ID-N`. */
  readonly run: string;
  /** The launch script of the plan. */
  readonly launch: string;
  /** Absolute host folder. */
  readonly workspace: string | undefined;
  /** Whether a guest may write to it: then it is looked through when the run has ended (claimSweep.ts). */
  readonly writable: boolean;
  /** Its way out; undefined where the network is none. */
  readonly way: Pick<LeasedWay, 'folder' | 'hold'> | undefined;
  readonly timeoutMs: number;
  /** Of its terminal at first; undefined: 24 rows, 80 columns. */
  readonly size: TerminalSize | undefined;
  /** Whether the program runs. */
  readonly isReady: () => boolean;
  /** Aborting takes the start back. */
  readonly signal: AbortSignal;
}

/** What supervisor and launcher say themselves, now that nobody reads their stderr. */
function messagesFile(paths: Paths, id: string): string {
  return join(sandboxFolder(paths, id), 'messages');
}

function openOwn(file: string): number {
  try {
    return openSync(file, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW, 0o600);
  } catch (cause) {
    throw diskError(cause, `cannot write ${file}`);
  }
}

// The supervisor becomes this when it has cleaned up. Killed, it does not: then the next call does the same.
function writeAfterwards(paths: Paths, id: string): string {
  const file = join(sandboxFolder(paths, id), 'afterwards');
  const { claims, records, destination } = sweepFolders(paths);
  const words = [process.execPath, join(paths.install, 'dist/bin/sweep.cjs'), claims, records, destination];
  writeFileAtomic(file, `exec ${words.map(quoteLiteral).join(' ')}\n`);
  return file;
}

function bindings({ paths, sandbox, run, workspace, writable, way, timeoutMs, size }: LaunchRequest): string[] {
  const words: Record<string, string | number | undefined> = {
    id: run,
    workspace,
    way_out: way?.folder,
    hold: way?.hold,
    timeout: timeoutMs,
    idle: sandbox.idleMs ?? undefined,
    output_log: logsFolder(paths, sandbox.id),
    result_fd: 3,
    stdin: sandbox.interactive ? 1 : undefined,
    terminal: sandbox.tty ? 1 : undefined,
    size: size === undefined ? undefined : `${Math.min(size.rows, 9999)}x${Math.min(size.columns, 9999)}`,
    typed: sandbox.tty || sandbox.interactive ? 1 : undefined,
    ...(writable ? { starter: process.pid, afterwards: writeAfterwards(paths, sandbox.id) } : {}),
  };
  const given = Object.entries(words).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  return [...given, ...sandbox.ports.map(publishWord)];
}

function startLauncher(request: LaunchRequest): Detached {
  const { paths, sandbox, run, launch } = request;
  ensureDirectory(logsFolder(paths, sandbox.id));
  const messages = openOwn(messagesFile(paths, sandbox.id));
  try {
    const result = openOwn(resultFile(paths, sandbox.id, run));
    try {
      const words = [launch, ...bindings(request), '--', ...sandbox.command];
      return startDetached(requireTool('sh', 'dash'), words, { env: { PATH: systemPath }, stderr: messages, result });
    } finally {
      closeSync(result);
    }
  } finally {
    closeSync(messages);
  }
}

/** The first line that launcher or supervisor left, once it is whole. */
function readLine(file: string): string | undefined {
  const text = readFileSync(file, 'latin1');
  const end = text.indexOf('\n');
  return end < 0 ? undefined : text.slice(0, end);
}

function readMessages(paths: Paths, id: string): string {
  const text = readFileSync(messagesFile(paths, id), 'utf8').slice(0, mostMessages);
  const first = text.split('\n').find((line) => line.trim() !== '');
  return printable((first ?? '').replace(/^sandbox: /, ''), 600);
}

function judgeLine(line: string, { paths, sandbox }: LaunchRequest): RunRecord {
  refuseFailure(Buffer.from(line, 'latin1').toString('utf8'));
  const record = parseRecord(line);
  if (record.reason !== 'launch') return record;
  throw new CofferdamError('LAUNCH_FAILED', readMessages(paths, sandbox.id) || 'the engine did not say why');
}

/**
 * Starts the run and returns when its program runs, or has ended already. Throws the launcher's own code, LAUNCH_FAILED with what
 * the engine said, RUN_LOST when it was killed or took too long, or CANCELLED; nothing of it runs then.
 */
export async function launchSandbox(request: LaunchRequest): Promise<void> {
  const { paths, sandbox, run, isReady, signal } = request;
  const result = resultFile(paths, sandbox.id, run);
  const child = startLauncher(request);
  let ended: Awaited<Detached['ended']> | undefined;
  void child.ended.then((how) => {
    ended = how;
  });
  const giveUp = performance.now() + patienceMs;
  let stopped = false;
  for (;;) {
    const over = ended;
    const line = readLine(result);
    if (line !== undefined) {
      judgeLine(line, request);
      break;
    }
    if (over !== undefined) {
      if (over.signal !== undefined) throw endedBy(`the start of ${sandbox.name}`, over.signal, signal);
      const why = over.startError ?? (readMessages(paths, sandbox.id) || `the launcher ended with ${over.exitCode}`);
      throw new CofferdamError('LAUNCH_FAILED', why);
    }
    if (!stopped && isReady()) break;
    if (!stopped && (signal.aborted || performance.now() > giveUp) && child.pid !== undefined) {
      // The supervisor ends the guest; killed before it was one, the launcher has nothing that runs.
      process.kill(child.pid, 'SIGTERM');
      stopped = true;
    }
    await new Promise((done) => setTimeout(done, lookMs));
  }
  child.forget();
  if (stopped) throw endedBy(`the start of ${sandbox.name}`, 'us: it took too long', signal);
}
