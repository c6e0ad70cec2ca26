// Owns what is done with a host folder around a run: a copy made and settled, guarded places looked through.
import { join } from 'node:path';
import { makeCopy, removeCopy, settleCopy } from './copy.ts';
import type { Host, Prepared } from './prepare.ts';
import { type SetAside, setAsideNew } from './setAside.ts';

export interface Around {
  /** Host folder that is mounted, if any. */
  readonly source: string | undefined;
  /** Called when the sandbox is gone; gives what was set aside. */
  finish(): Promise<readonly SetAside[]>;
  /** Called instead when it never started. */
  undo(): Promise<void>;
  /** Called instead when the sandbox lives on without us: whoever notices its end looks the folder through (claimSweep.ts). */
  leave(): void;
}

const nothing = { finish: async () => [], undo: async () => undefined, leave: () => undefined };

// What follows a run is not cancelled with it: a cancelled run is the one that must be looked through.
function uncancelled(): AbortSignal {
  return new AbortController().signal;
}

async function placeCopy(source: string, prepared: Prepared, id: string, host: Host): Promise<Around> {
  const { folders, ids, floor } = prepared;
  const now = Date.now();
  const copy = await makeCopy({ source, id, copies: folders.copies, ids, floor, now, signal: host.signal }).finally(
    () => prepared.workspace?.claim.release(),
  );
  return {
    source: copy.work,
    finish: async () => {
      await settleCopy(copy, ids, uncancelled());
      return [];
    },
    undo: () => removeCopy(copy, uncancelled()),
    // Whoever opens the copy settles it (lib/cli/copy.ts).
    leave: () => undefined,
  };
}

/** Makes the workspace ready for run `id`. Throws what makeCopy throws; nothing is left then. */
export async function placeWorkspace(prepared: Prepared, id: string, host: Host): Promise<Around> {
  const { workspace, profile } = prepared;
  if (workspace === undefined) return { source: undefined, ...nothing };
  const { source, marks, claim } = workspace;
  const { mode } = profile.workspace;
  if (mode === 'copy') return placeCopy(source, prepared, id, host);
  const release = async () => {
    claim.release();
    return [];
  };
  // Read-only: once it is mounted nobody can put another folder in its place (lib/run/claims.ts).
  if (mode === 'ro') return { source, finish: release, undo: async () => claim.release(), leave: claim.release };
  // Armed: if we are killed, whoever comes next looks the folder through (lib/run/claims.ts).
  claim.arm(marks, id);
  const destination = join(host.paths.state, 'set-aside', id);
  const lookThrough = async () => {
    const moved = await setAsideNew({ source, before: marks, destination, signal: uncancelled() });
    claim.release();
    return moved;
  };
  return { source, finish: lookThrough, undo: async () => void (await lookThrough()), leave: claim.handOver };
}
