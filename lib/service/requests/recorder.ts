// Owns telling denials from what else the proxy logs, and why each was denied: the log says that, the policy says why.
import { idPattern } from '../../base/ids.ts';
import type { Clock } from '../../policy/clock.ts';
import { decide } from '../../policy/decide.ts';
import { outsideText } from '../../policy/narrowing.ts';
import type { Policy } from '../../policy/policy.ts';
import type { EgressEntry } from '../../policy/replay.ts';
import type { Denial, Recorded, RequestStore } from './store.ts';

/** A line of the egress log. */
export interface LoggedRequest extends EgressEntry {
  readonly run?: string | null | undefined;
  /** Its id, as the proxy printed it. */
  readonly request?: string | null | undefined;
  /** What the proxy gave as its reason: a word of lib/firewall/squid/decision.ts. */
  readonly reason?: string | null | undefined;
}

const proxyReasons: Readonly<Record<string, string>> = {
  address: 'the name leads to an address that is private or special-purpose, and no exception names it',
  unresolved: 'the name leads to no address',
  method: 'the proxy does not take this method',
  scheme: 'the proxy does not take this kind of URL',
};

/** Why `entry` of `run` was denied. The policy may allow the name and the proxy refuse it all the same. */
export function explainDenial(run: string, entry: LoggedRequest, policy: Policy, clock: Clock): Denial {
  const { tool, profile, host, port } = entry;
  const principal = { tool: tool ?? undefined, profile: profile ?? undefined };
  const { result, reason, text, rule } = decide(policy, principal, host, port, clock);
  const id = idPattern.test(entry.request ?? '') ? (entry.request ?? undefined) : undefined;
  const asked = { id, run, ...principal, host, port };
  if (entry.reason === 'profile') return { ...asked, reason: 'profile', text: outsideText, where: undefined };
  if (result === 'deny') return { ...asked, reason, text, where: rule?.where };
  const why = proxyReasons[entry.reason ?? ''] ?? 'the policy allows the name; the proxy refused what was sent';
  return { ...asked, reason: 'proxy', text: why, where: undefined };
}

/** Records `entry` when it is a denial of a run; undefined for all else, and beyond the bound of its run. */
export function recordDenial(
  store: Pick<RequestStore, 'deny'>,
  entry: LoggedRequest,
  policy: Policy,
  clock: Clock,
): Recorded | undefined {
  const { result, run } = entry;
  return result === 'deny' && run != null ? store.deny(explainDenial(run, entry, policy, clock)) : undefined;
}
