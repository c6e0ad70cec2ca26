// Owns a profile's own list of hosts (network.allow): which of those that the policy allows its runs may reach. It adds none.
import type { Decision } from './decide.ts';
import { readHost } from './hostname.ts';
import { coversHost, coversPort, type Pattern, readPattern } from './pattern.ts';

/** Undefined: all that the policy allows. An empty one stands for nothing at all. */
export type Narrowing = readonly Pattern[] | undefined;

export type NarrowingReading = { readonly narrowing: Narrowing; readonly fault?: never } | { readonly fault: string };

/** Reads `network.allow`; a fault is one sentence that names the entry. */
export function readNarrowing(allow: readonly string[] | undefined): NarrowingReading {
  const readings = allow?.map(readPattern);
  const at = readings?.findIndex(({ fault }) => fault !== undefined) ?? -1;
  if (at !== -1) return { fault: `network.allow[${at}]: ${readings?.[at]?.fault}` };
  return { narrowing: readings?.flatMap((reading) => ('pattern' in reading ? [reading.pattern] : [])) };
}

/** Whether a request for `host`, as it was written, may go on. What is not plain ASCII is outside: others may read it otherwise. */
export function isWithin(narrowing: Narrowing, host: string, port: number): boolean {
  if (narrowing === undefined) return true;
  const reading = /^[A-Za-z0-9._-]+$/.test(host) ? readHost(host) : undefined;
  const name = reading?.fault === undefined ? reading?.host : undefined;
  if (name === undefined) return false;
  return narrowing.some((pattern) => coversHost(pattern, name) && coversPort(pattern, port, 'allow'));
}

/** What a person reads of a request that is outside. */
export const outsideText = 'the profile of the run does not list it (network.allow)';

/** The policy's decision about a request of a run with this list. */
export function narrow(decision: Decision, narrowing: Narrowing): Decision {
  if (decision.result === 'deny' || isWithin(narrowing, decision.host, decision.port ?? 0)) return decision;
  return { ...decision, result: 'deny', reason: 'profile', text: outsideText, rule: undefined, networks: [] };
}
