// Owns pausing a sandbox and letting it go on.
import { CofferdamError } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { freeze, thaw } from './freezer.ts';
import type { Sandbox } from './sandbox.ts';
import { readState } from './state.ts';

function requireStatus(paths: Paths, sandbox: Sandbox, wanted: 'running' | 'paused'): void {
  const { status } = readState(paths, sandbox);
  if (status !== wanted) throw new CofferdamError('SANDBOX_STATE', `${sandbox.name} is not ${wanted}: it is ${status}`);
}

/** Stops every process of a running sandbox where it is. Throws SANDBOX_STATE, HOST_UNPREPARED without a freezer of ours. */
export async function pauseSandbox(paths: Paths, sandbox: Sandbox): Promise<void> {
  requireStatus(paths, sandbox, 'running');
  await freeze(sandbox);
}

/** Lets a paused sandbox go on. Throws SANDBOX_STATE. */
export function unpauseSandbox(paths: Paths, sandbox: Sandbox): void {
  requireStatus(paths, sandbox, 'paused');
  thaw(sandbox);
}
