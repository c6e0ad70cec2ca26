// Owns waiting for the end of a sandbox, whoever started it.
import { CofferdamError } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import type { RunRecord } from '../result.ts';
import { finishSandbox } from './finish.ts';
import type { Sandbox } from './sandbox.ts';
import { readState } from './state.ts';

const lookMs = 50;

/**
 * Waits until the run of a sandbox has ended, sees to its folder, and gives its record; at once when it has already. Throws SANDBOX_STATE for one that was never
 * started, RUN_LOST for one that was killed from outside, and when `signal` is aborted.
 */
export async function waitSandbox(paths: Paths, sandbox: Sandbox, signal: AbortSignal): Promise<RunRecord> {
  for (;;) {
    const state = readState(paths, sandbox);
    if (state.status === 'exited') {
      await finishSandbox(paths, sandbox);
      return state.record;
    }
    if (state.status === 'created' && sandbox.run === null)
      throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} was never started`, {
        remedy: `sandbox start ${sandbox.name}`,
      });
    if (state.status === 'lost')
      throw new CofferdamError('RUN_LOST', `the supervisor of ${sandbox.name} was killed, or this host was`, {
        remedy: `free what it left: sandbox gc; start it again: sandbox start ${sandbox.name}`,
      });
    if (signal.aborted) throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} still runs; the wait was cancelled`);
    await new Promise((done) => setTimeout(done, lookMs));
  }
}
