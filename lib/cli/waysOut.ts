// Owns asking the daemon of the way out about sandboxes: loaded only where one has a way.
import type { Paths } from '../base/paths.ts';
import type { EgressStatus } from '../service/egress/protocol.ts';

/** Undefined where there is no daemon. */
export async function statusOfWays(paths: Paths): Promise<EgressStatus | undefined> {
  const { askStatus } = await import('../service/egress/wayOut.ts');
  return askStatus(paths);
}
