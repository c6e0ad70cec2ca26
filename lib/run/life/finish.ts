// Owns what is due when the run of a sandbox has ended: its writable folder is looked through, once, by whoever notices first.
import type { Paths } from '../../base/paths.ts';
import { isDue, readSetAside, sweepClaims, sweepFolders } from '../claimSweep.ts';
import type { SetAside } from '../setAside.ts';
import type { Sandbox } from './sandbox.ts';

export interface Finished {
  /** What its last run had put into the folder and would have run on this host, whoever moved it away. */
  readonly setAside: readonly SetAside[];
  /** Whether the folder still has to be looked through: what a kill left must be freed first, or it cannot be read. */
  readonly due: boolean;
}

/** Sees to the folder of a sandbox whose run has ended. Waits for another process that is at it. Harmless at any time. */
export async function finishSandbox(paths: Paths, sandbox: Pick<Sandbox, 'run' | 'workspace'>): Promise<Finished> {
  const { run, workspace } = sandbox;
  if (run === null || workspace.mode !== 'rw') return { setAside: [], due: false };
  const folders = sweepFolders(paths);
  if (isDue(folders, run)) await sweepClaims({ ...folders, quarantine: undefined });
  return { setAside: readSetAside(folders.destination, run), due: isDue(folders, run) };
}
