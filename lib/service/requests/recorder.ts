// Owns telling denials from what else the proxy logs, and why each was denied: the log says that, the policy says why.
import type { Clock } from '../../policy/clock.ts';
import { decide } from '../../policy/decide.ts';
import type { Policy } from '../../policy/policy.ts';
import type { EgressEntry } from '../../policy/replay.ts';
import type { Denial, Recorded, RequestStore } from './store.ts';

/** A line of the egress log. */
export interface LoggedRequest extends EgressEntry {
  readonly run: string;
}

/** Why `entry` was denied. The policy may allow the name and the proxy refuse it all the same. */
export function explainDenial({ run, tool, profile, host, port }: LoggedRequest, policy: Policy, clock: Clock): Denial {
  const principal = { tool: tool ?? undefined, profile: profile ?? undefined };
  const { result, reason, text, rule } = decide(policy, principal, host, port, clock);
  const asked = { run, ...principal, host, port };
  if (result === 'deny') return { ...asked, reason, text, where: rule?.where };
  const why = 'the policy allows the name; the proxy refused its address, the method, or what was sent';
  return { ...asked, reason: 'proxy', text: why, where: undefined };
}

/** Records `entry` when it is a denial; undefined for all else, and beyond the bound of its run. */
export function recordDenial(
  store: Pick<RequestStore, 'deny'>,
  entry: LoggedRequest,
  policy: Policy,
  clock: Clock,
): Recorded | undefined {
  return entry.result === 'deny' ? store.deny(explainDenial(entry, policy, clock)) : undefined;
}
