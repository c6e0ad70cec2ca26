// Owns the executions in live sandboxes that somebody can ask for later: listing, waiting for one, ending one.
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { list, text } from '../../base/shape.ts';
import { runFolders } from '../folders.ts';
import { parseRecord, type RunRecord } from '../result.ts';
import { listSandboxes, type Sandbox } from './sandbox.ts';

export const execIdPattern = /^x[0-9a-f]{16}$/;

const lookMs = 50;
const mostLooks = 40;
const words = list(text);

export interface Execution {
  readonly id: string;
  readonly sandbox: Sandbox;
  readonly argv: readonly string[];
  /** Ms since the epoch. */
  readonly startedMs: number;
}

function runOf(paths: Paths, { run }: Sandbox): string | undefined {
  return run === null ? undefined : join(runFolders(paths).runs, run);
}

/** An execution that goes on; undefined when it has just ended. */
function readExecution(run: string, id: string, sandbox: Sandbox): Execution | undefined {
  try {
    const folder = join(run, 'execs', id);
    const process = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as { readonly args?: unknown };
    const args = words(process.args);
    return { id, sandbox, argv: args.slice(args.indexOf('--') + 1), startedMs: statSync(folder).ctimeMs };
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw cause;
  }
}

/** What is being executed in `sandboxes` now, beside their own programs. */
export function listExecutions(paths: Paths, sandboxes: readonly Sandbox[]): Execution[] {
  return sandboxes.flatMap((sandbox) => {
    const run = runOf(paths, sandbox);
    if (run === undefined) return [];
    const folder = join(run, 'execs');
    const names = existsSync(folder) ? readdirSync(folder).filter((name) => execIdPattern.test(name)) : [];
    return names.map((id) => readExecution(run, id, sandbox)).filter((one) => one !== undefined);
  });
}

/** The end of a detached execution, as its supervisor recorded it. */
function readEnd(run: string, id: string): RunRecord | undefined {
  try {
    const lines = readFileSync(join(run, 'execs.log'), 'latin1').split('\n');
    const line = lines.find((text) => text.startsWith(`1 ${id} `));
    return line === undefined ? undefined : parseRecord(line);
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw cause;
  }
}

/** Whether it is under way. The file is there before the folder, and is moved into it. */
function goesOn(run: string, id: string): boolean {
  return existsSync(join(run, `${id}.json`)) || existsSync(join(run, 'execs', id));
}

/** The run folder of the execution called `id`; undefined when none is, or its sandbox has ended. */
function findRun(paths: Paths, id: string): string | undefined {
  if (!execIdPattern.test(id)) return undefined;
  return listSandboxes(paths)
    .sandboxes.map((sandbox) => runOf(paths, sandbox))
    .find((run) => run !== undefined && (goesOn(run, id) || readEnd(run, id) !== undefined));
}

/** Whether `id` is that of an execution in a sandbox that still runs. */
export function isExecution(paths: Paths, id: string): boolean {
  return findRun(paths, id) !== undefined;
}

function unknown(id: string): CofferdamError {
  return new CofferdamError(
    'RUN_UNKNOWN',
    `no execution ${id} is recorded: its sandbox has ended, or nobody started it with -d`,
  );
}

/** Waits until a detached execution has ended. Throws RUN_UNKNOWN when its sandbox ends first, and when `signal` is aborted. */
export async function waitExecution(paths: Paths, id: string, signal: AbortSignal): Promise<RunRecord> {
  const run = findRun(paths, id);
  for (;;) {
    const record = run === undefined ? undefined : readEnd(run, id);
    if (record !== undefined) return record;
    // The record is written before the folder goes.
    if (run === undefined || !goesOn(run, id)) {
      const late = run === undefined ? undefined : readEnd(run, id);
      if (late !== undefined) return late;
      throw unknown(id);
    }
    if (signal.aborted) throw new CofferdamError('SANDBOX_STATE', `${id} still runs; the wait was cancelled`);
    await new Promise((done) => setTimeout(done, lookMs));
  }
}

/** Words of a process's command line; none for one that is gone or not ours to look at. */
function commandOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}

/** Pids of its supervisor and of the guardian, which has the same words and blocks the signal. */
function findSupervisor(paths: Paths, id: string): string[] {
  const supervise = join(paths.install, 'dist/native/supervise');
  return readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((pid) => {
      const [file, option, named] = commandOf(pid);
      return file === supervise && option === '--id' && named === id;
    });
}

function signalAll(pids: readonly string[]): void {
  for (const pid of pids) {
    try {
      process.kill(Number(pid), 'SIGTERM');
    } catch (cause) {
      if (errnoOf(cause) !== 'ESRCH') throw cause;
    }
  }
}

/** The supervisor takes a second wish within this time for the first one, told twice (lib/run/native/watch.c). */
const sameWishMs = 150;

/**
 * Tells the supervisor of an execution to end it and all that it started: `TERM` politely, with two seconds until it is killed, `KILL`
 * at once. Throws RUN_UNKNOWN, and VALUE_INVALID for another signal.
 */
export async function endExecution(paths: Paths, id: string, signal: string): Promise<void> {
  if (signal !== 'TERM' && signal !== 'KILL')
    throw new CofferdamError('VALUE_INVALID', `an execution can be ended by TERM or KILL, not by ${signal}`, {
      remedy: 'send the signal from inside: sandbox exec NAME kill',
    });
  const run = findRun(paths, id);
  let found = findSupervisor(paths, id);
  // Its shell may not have become the supervisor yet.
  for (let looks = 0; found.length === 0 && looks < mostLooks && run !== undefined && goesOn(run, id); looks++) {
    await new Promise((done) => setTimeout(done, lookMs));
    found = findSupervisor(paths, id);
  }
  if (found.length === 0) throw unknown(id);
  signalAll(found);
  if (signal === 'TERM') return;
  await new Promise((done) => setTimeout(done, sameWishMs));
  signalAll(found);
}
