// Owns what a networked run is told about the host's wall: by root's own look, or by what root's watcher publishes.
import { CofferdamError } from '../base/errors.ts';
import type { Clock } from '../policy/clock.ts';
import { underLock } from './apply.ts';
import { readPublished } from './published.ts';
import { type FirewallPlaces, readWanted } from './record.ts';
import { examineFirewall, type FirewallStatus } from './status.ts';
import { watchFirewall } from './watch.ts';

export interface WallRequest {
  /** The host's: firewallPlaces() of root's paths. */
  readonly places: FirewallPlaces;
  /** Who asks. Reading the kernel's table takes root. */
  readonly uid: number;
  readonly clock: () => Clock;
}

type State = FirewallStatus['state'];

/**
 * verified: the wall stands as it was applied; drifted: it does not, or nobody can say so any more; absent: there is none, or
 * nobody watches it for those who are not root (`firewall watch`).
 */
export async function readWall({ places, uid, clock }: WallRequest): Promise<State> {
  const published = readPublished(places.published, clock());
  if (published?.fresh === true || uid !== 0) return published?.state ?? 'absent';
  // Without anything applied the tools of a wall need not be there.
  if (readWanted(places) === undefined) return 'absent';
  return (await underLock(places, () => examineFirewall(places))).state;
}

/** The same for a run that is about to get a way out. Throws FIREWALL_DRIFT: it does not start behind a broken wall. */
export async function requireWall(request: WallRequest): Promise<'verified' | 'absent'> {
  const state = await readWall(request);
  if (state !== 'drifted') return state;
  throw new CofferdamError('FIREWALL_DRIFT', 'the host firewall is not as it was applied: no run gets a way out');
}

const pollMs = 1000;

/** Tells `onState` the state at once and whenever it is another, until the signal is aborted. What fails is drifted. */
export async function followWall(
  request: WallRequest,
  signal: AbortSignal,
  onState: (state: State) => void,
): Promise<void> {
  let last: State | undefined;
  const tell = (state: State) => {
    if (state !== last) onState(state);
    last = state;
  };
  while (!signal.aborted) {
    try {
      if (request.uid === 0 && readWanted(request.places) !== undefined)
        await watchFirewall({ places: request.places, signal, onState: tell });
      else tell(await readWall(request));
    } catch {
      tell('drifted');
    }
    await new Promise<void>((done) => {
      const timer = setTimeout(done, pollMs);
      signal.addEventListener('abort', () => [clearTimeout(timer), done()], { once: true });
    });
  }
}
