// Owns whether a principal may reach less than before: then what it has open is cut, rather than left to end by itself.
import { type Clock, isLive } from './clock.ts';
import { appliesTo, type Principal } from './decide.ts';
import type { Policy, Rule } from './policy.ts';

/** A policy at a moment: what of its grants still held. */
export interface Enforced {
  readonly policy: Policy;
  readonly clock: Clock;
}

function keysOf({ policy, clock }: Enforced, effect: Rule['effect'], principal: Principal): Set<string> {
  return new Set(
    policy.rules
      .filter((rule) => rule.effect === effect && appliesTo(rule.scope, principal) && isLive(rule.end, clock))
      // Not the end: a grant that became a rule, or lasts longer, takes nothing away.
      .map(({ scope, pattern }) => JSON.stringify([scope.kind, scope.name, pattern.text])),
  );
}

function exceptionsOf({ policy }: Enforced, principal: Principal): Set<string> {
  return new Set(
    policy.exceptions
      .filter(({ scope }) => appliesTo(scope, principal))
      .flatMap(({ pattern, networks }) => networks.map(({ text }) => JSON.stringify([pattern.text, text]))),
  );
}

function isWithin(some: ReadonlySet<string>, all: ReadonlySet<string>): boolean {
  return [...some].every((key) => all.has(key));
}

/** Whether what is open goes on by a way that the policy no longer has: tunnels nobody looked into, another parent. */
function isWayClosed({ policy: before }: Enforced, { policy: after }: Enforced): boolean {
  return (
    (before.sni === 'off' && after.sni === 'strict') ||
    before.parentProxy?.text !== after.parentProxy?.text ||
    before.environmentProxy !== after.environmentProxy
  );
}

/** Whether something that `principal` may have open under `before` could be denied by `after`. Pure; yes when in doubt. */
export function isTightened(before: Enforced, after: Enforced, principal: Principal): boolean {
  if (isWayClosed(before, after)) return true;
  return !(
    isWithin(keysOf(after, 'deny', principal), keysOf(before, 'deny', principal)) &&
    isWithin(keysOf(before, 'allow', principal), keysOf(after, 'allow', principal)) &&
    isWithin(exceptionsOf(before, principal), exceptionsOf(after, principal))
  );
}

/** What a policy means at a moment beyond its text: which of its grants hold. Two equal ones need no new proxy. */
export function liveGrants({ policy, clock }: Enforced): string {
  return policy.rules.map(({ end }) => (end === undefined || isLive(end, clock) ? '1' : '0')).join('');
}
