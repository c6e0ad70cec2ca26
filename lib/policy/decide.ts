// Owns the decision: whether a principal may reach a host and port, and the reason, with the rule, its file and line.
import type { Network } from './address.ts';
import { type Clock, isLive } from './clock.ts';
import { readHost, showHost } from './hostname.ts';
import { coversHost, coversPort, type Pattern, readPort, splitPort, webPorts } from './pattern.ts';
import { type Policy, type Rule, type Scope, scopeText } from './policy.ts';

/** Who asks. A run has a profile, and a tool where one is named; its socket says which, never the request. */
export interface Principal {
  readonly tool?: string | undefined;
  readonly profile?: string | undefined;
}

export type Reason =
  /** A rule decided. */
  | 'rule'
  /** Nothing allows the host: the default. */
  | 'unlisted'
  /** The host is allowed, the port is not. */
  | 'port'
  /** A grant allowed it and has ended. */
  | 'ended'
  /** The policy allows it, the run's profile does not list it (narrowing.ts). */
  | 'profile'
  /** An address in place of a name. */
  | 'address'
  /** No host name, or no port. */
  | 'malformed';

export interface Decision {
  readonly result: 'allow' | 'deny';
  readonly reason: Reason;
  /** One sentence for people; harmless on a terminal. */
  readonly text: string;
  /** Canonical; as it was given, and possibly hostile, where it is no host. */
  readonly host: string;
  readonly port: number | undefined;
  /** The rule that decided, or the one that nearly did (`port`, `ended`). */
  readonly rule: Rule | undefined;
  /** Private networks that the name may resolve to, beside public addresses: the second decision, after DNS. */
  readonly networks: readonly Network[];
}

const scopeOrder = ['tool', 'profile', 'global'] as const;

/** Whether rules of `scope` speak about this principal. */
export function appliesTo(scope: Scope, principal: Principal): boolean {
  return scope.kind === 'global' || principal[scope.kind] === scope.name;
}

/** Denials of tool, profile, global, then what allows in the same order: an administrator's denial holds for every tool. */
function rank({ effect, scope }: Rule): number {
  return (effect === 'deny' ? 0 : scopeOrder.length) + scopeOrder.indexOf(scope.kind);
}

/** `a.b.c`, `b.c`, `c`: what a pattern for the name can be about. */
function namesAbove(host: string): string[] {
  const labels = host.split('.');
  return labels.map((_, i) => labels.slice(i).join('.'));
}

function findRules(policy: Policy, principal: Principal, host: string): Rule[] {
  return namesAbove(host)
    .flatMap((name) => policy.byHost.get(name) ?? [])
    .filter(({ scope, pattern }) => appliesTo(scope, principal) && coversHost(pattern, host))
    .toSorted((a, b) => rank(a) - rank(b));
}

function portsOf(pattern: Pattern): string {
  return pattern.port === undefined ? webPorts.join(' and ') : String(pattern.port);
}

type Finding = Pick<Decision, 'result' | 'reason' | 'text' | 'rule'>;

function judge(rules: readonly Rule[], port: number, clock: Clock): Finding {
  const live = rules.filter(({ end }) => isLive(end, clock));
  const decisive = live.find(({ effect, pattern }) => coversPort(pattern, port, effect));
  if (decisive !== undefined) {
    const { effect, scope, pattern } = decisive;
    const text = `${scopeText(scope)} ${effect === 'allow' ? 'allows' : 'denies'} ${showHost(pattern.text)}`;
    return { result: effect, reason: 'rule', text, rule: decisive };
  }
  const elsewhere = live.find(({ effect }) => effect === 'allow');
  if (elsewhere !== undefined) {
    const text = `${scopeText(elsewhere.scope)} allows ${showHost(elsewhere.pattern.text)} on ${portsOf(elsewhere.pattern)} only`;
    return { result: 'deny', reason: 'port', text, rule: elsewhere };
  }
  const ended = rules.find(({ end, pattern }) => !isLive(end, clock) && coversPort(pattern, port, 'allow'));
  if (ended !== undefined) {
    const text = `the grant of ${showHost(ended.pattern.text)} for ${scopeText(ended.scope)} has ended`;
    return { result: 'deny', reason: 'ended', text, rule: ended };
  }
  return { result: 'deny', reason: 'unlisted', text: 'no rule allows it', rule: undefined };
}

/**
 * Whether `principal` may reach `host` (any spelling, hostile ones too) on `port`. Deny beats allow; among each the tool's
 * list comes first, then the profile's, then the global one; the first list with a matching rule decides; the default is
 * deny. Never throws: what cannot be read is denied.
 */
export function decide(policy: Policy, principal: Principal, host: string, port: number, clock: Clock): Decision {
  const reading = readHost(host);
  const portIsOne = Number.isInteger(port) && port >= 1 && port <= 65_535;
  const bare = { host, port: portIsOne ? port : undefined, rule: undefined, networks: [] };
  if (reading.fault !== undefined) {
    const { kind, text } = reading.fault;
    return { ...bare, result: 'deny', reason: kind, text: `the host ${text}` };
  }
  if (!portIsOne) return { ...bare, result: 'deny', reason: 'malformed', text: 'the port is none' };
  const found = judge(findRules(policy, principal, reading.host), port, clock);
  const excepted = policy.exceptions.filter(
    ({ scope, pattern }) =>
      appliesTo(scope, principal) && coversHost(pattern, reading.host) && coversPort(pattern, port, 'deny'),
  );
  const networks = found.result === 'deny' ? [] : excepted.flatMap((one) => one.networks);
  return { host: reading.host, port, networks, ...found };
}

/** `HOST[:PORT]` as a person writes it; port 443 when there is none. An unreadable port is 0, which is denied. */
export function readTarget(text: string): { readonly host: string; readonly port: number } {
  const { host, port } = splitPort(text);
  return { host, port: port === undefined ? 443 : (readPort(port) ?? 0) };
}
