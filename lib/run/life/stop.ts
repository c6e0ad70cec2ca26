// Owns ending the run of a sandbox: asked first, killed after a while. Its supervisor does both, and records which it was.
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { graceMs } from '../launch.ts';
import { finishSandbox } from './finish.ts';
import { thaw } from './freezer.ts';
import type { Sandbox } from './sandbox.ts';
import { sendSignal } from './signal.ts';
import { isLive, readLive, readState, type SandboxState } from './state.ts';

/** A second TERM within this counts as the first (lib/run/native/watch.c, SAME_SIGNAL_MS). */
const secondSignalMs = 150;
/** For what was killed to be gone, and cleaned up behind it. */
const killLimitMs = 60_000;
const lookMs = 20;

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/** Whether the run has ended within `ms`. */
async function endsWithin(paths: Paths, run: string, ms: number): Promise<boolean> {
  const until = performance.now() + ms;
  while (readLive(paths, run) !== undefined) {
    if (performance.now() >= until) return false;
    await pause(lookMs);
  }
  return true;
}

// Checked just before: the pid is still that of the process that wrote the record.
function tellSupervisor(paths: Paths, run: string): void {
  const live = readLive(paths, run);
  try {
    if (live !== undefined) process.kill(live.pid, 'SIGTERM');
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}

/** Has the supervisor end run `run`, and kill it after `timeoutMs`. False when it did not end within a minute. */
export async function endRun(paths: Paths, run: string, timeoutMs: number): Promise<boolean> {
  tellSupervisor(paths, run);
  if (await endsWithin(paths, run, Math.max(timeoutMs, secondSignalMs))) return true;
  tellSupervisor(paths, run);
  return endsWithin(paths, run, killLimitMs);
}

/**
 * Stops a sandbox: TERM, and after `timeoutMs` KILL. Sees to its folder, and gives the state it is in then; one that does not run is left as it is. Throws
 * SANDBOX_STATE when the kernel did not end it.
 */
export async function stopSandbox(paths: Paths, sandbox: Sandbox, timeoutMs = graceMs): Promise<SandboxState> {
  const before = readState(paths, sandbox);
  const { run } = sandbox;
  if (!isLive(before) || run === null) {
    await finishSandbox(paths, sandbox);
    return before;
  }
  // The supervisor itself waits no longer than its own grace. What is frozen takes a signal when it is thawed.
  const patient = timeoutMs > graceMs && (await sendSignal(paths, sandbox, run, 'TERM'));
  if (before.status === 'paused') thaw(sandbox);
  const ended =
    (patient && (await endsWithin(paths, run, timeoutMs))) ||
    (await endRun(paths, run, patient ? 0 : Math.min(timeoutMs, graceMs + lookMs)));
  if (ended) {
    await finishSandbox(paths, sandbox);
    return readState(paths, sandbox);
  }
  throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} was killed and does not end`, {
    remedy: 'a process may hang in the kernel; later: sandbox gc',
  });
}

/**
 * Sends a signal to the program of a sandbox; after KILL it waits for the end. Throws SANDBOX_STATE when it does not run or cannot be
 * reached.
 */
export async function killSandbox(paths: Paths, sandbox: Sandbox, signal: string): Promise<void> {
  const state = readState(paths, sandbox);
  const { run } = sandbox;
  if (!isLive(state) || run === null) {
    throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} does not run: it is ${state.status}`);
  }
  const reached = await sendSignal(paths, sandbox, run, signal);
  if (signal === 'KILL') {
    if (reached && state.status === 'paused') thaw(sandbox);
    if (!reached || !(await endsWithin(paths, run, killLimitMs))) await stopSandbox(paths, sandbox, 0);
    await finishSandbox(paths, sandbox);
  } else if (!reached && readLive(paths, run) !== undefined) {
    throw new CofferdamError(
      'SANDBOX_STATE',
      `${sandbox.name} cannot be reached: what its runtime kept of it is gone`,
      {
        remedy: `sandbox stop ${sandbox.name}`,
      },
    );
  }
}
