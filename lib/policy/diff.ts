// Owns what differs between two policies, and which way: more may leave (widens), less may (tightens), or neither.

import type { End } from './clock.ts';
import { showHost } from './hostname.ts';
import { globalLimits } from './limits.ts';
import { leastApprovals, type Policy, type PrivateException, type Rule, type Scope, scopeText } from './policy.ts';
import type { LimitsFile } from './schema.ts';

export interface Change {
  readonly effect: 'widens' | 'tightens';
  /** One line for people, `+ allow example.org for tool web.search@v1`; harmless on a terminal. */
  readonly text: string;
}

function endText(end: End | undefined): string {
  return end === undefined ? '' : ` until ${new Date(end.wallMs).toISOString()}`;
}

function ruleText({ effect, scope, pattern, end }: Rule): string {
  return `${effect} ${showHost(pattern.text)} for ${scopeText(scope)}${endText(end)}`;
}

// All that gives a rule its meaning, and nothing of where it stands.
function ruleKey({ effect, scope, pattern, end }: Rule): string {
  return JSON.stringify([effect, scope.kind, scope.name, pattern.text, end?.wallMs, end?.boot]);
}

function exceptionEntries({ scope, pattern, networks }: PrivateException): [string, string][] {
  return networks.map(({ text }) => [
    JSON.stringify([scope.kind, scope.name, pattern.text, text]),
    `private ${text} for ${showHost(pattern.text)} for ${scopeText(scope)}`,
  ]);
}

/** Keys of `there` that are not in `here`, with what they are called. */
function missing(here: ReadonlyMap<string, string>, there: ReadonlyMap<string, string>): string[] {
  return [...there].filter(([key]) => !here.has(key)).map(([, text]) => text);
}

function diffSets(before: Map<string, string>, after: Map<string, string>, adding: Change['effect']): Change[] {
  const removing = adding === 'widens' ? 'tightens' : 'widens';
  return [
    ...missing(after, before).map((text): Change => ({ effect: removing, text: `- ${text}` })),
    ...missing(before, after).map((text): Change => ({ effect: adding, text: `+ ${text}` })),
  ];
}

function diffRules(before: Policy, after: Policy, effect: Rule['effect']): Change[] {
  const all = (policy: Policy) =>
    new Map(policy.rules.filter((rule) => rule.effect === effect).map((rule) => [ruleKey(rule), ruleText(rule)]));
  return diffSets(all(before), all(after), effect === 'allow' ? 'widens' : 'tightens');
}

type Bounds = Record<string, number>;

// A bound that a scope does not state is none; global ones are always there.
function boundsOf(policy: Policy): Bounds {
  const flat = (scope: Scope, { atOnce, perRun, perMinute }: LimitsFile) =>
    [
      ['atOnce', atOnce] as const,
      ...Object.entries(perRun).map(([name, value]) => [`perRun.${name}`, value] as const),
      ...Object.entries(perMinute).map(([name, value]) => [`perMinute.${name}`, value] as const),
    ].flatMap(([name, value]) => (value === undefined ? [] : [[`limits.${name} for ${scopeText(scope)}`, value]]));
  return Object.fromEntries(
    policy.limits.flatMap(({ scope, limits }) => flat(scope, scope.kind === 'global' ? globalLimits(limits) : limits)),
  );
}

function diffLimits(before: Policy, after: Policy): Change[] {
  const [old, fresh] = [boundsOf(before), boundsOf(after)];
  const say = (value: number | undefined) => (value === undefined ? 'none' : String(value));
  return [...new Set([...Object.keys(old), ...Object.keys(fresh)])]
    .filter((key) => old[key] !== fresh[key])
    .map((key) => ({
      effect: (fresh[key] ?? Number.POSITIVE_INFINITY) > (old[key] ?? Number.POSITIVE_INFINITY) ? 'widens' : 'tightens',
      text: `${key}: ${say(old[key])} to ${say(fresh[key])}`,
    }));
}

function diffSettings(before: Policy, after: Policy): Change[] {
  const changes: Change[] = [];
  if (before.mode !== after.mode)
    changes.push({
      effect: after.mode === 'strict' ? 'tightens' : 'widens',
      text: `mode: ${before.mode} to ${after.mode}`,
    });
  if (before.approvals !== after.approvals)
    changes.push({
      effect: leastApprovals(before.approvals, after.approvals) === after.approvals ? 'tightens' : 'widens',
      text: `approvals: ${before.approvals} to ${after.approvals}`,
    });
  if (before.sni !== after.sni)
    changes.push({
      effect: after.sni === 'strict' ? 'tightens' : 'widens',
      text: `sni: ${before.sni} to ${after.sni}`,
    });
  // Another parent sees what leaves and resolves the names; going without one is another way too.
  if (before.parentProxy?.text !== after.parentProxy?.text)
    changes.push({
      effect: 'widens',
      text: `parentProxy: ${before.parentProxy?.text ?? 'none'} to ${after.parentProxy?.text ?? 'none'}`,
    });
  if (before.environmentProxy !== after.environmentProxy)
    changes.push({
      effect: after.environmentProxy ? 'widens' : 'tightens',
      text: `environmentProxy: ${before.environmentProxy} to ${after.environmentProxy}`,
    });
  const [old, fresh] = [before.dnsServers.join(', ') || 'of the host', after.dnsServers.join(', ') || 'of the host'];
  // Who answers the names decides where they lead: another server is never less.
  if (old !== fresh) changes.push({ effect: 'widens', text: `dns.servers: ${old} to ${fresh}` });
  return changes;
}

/** What `after` changes of `before`: settings, limits, exceptions, denials, allowances; in the order of the file within each. */
export function diffPolicies(before: Policy, after: Policy): Change[] {
  const exceptions = (policy: Policy) => new Map(policy.exceptions.flatMap(exceptionEntries));
  return [
    ...diffSettings(before, after),
    ...diffLimits(before, after),
    ...diffSets(exceptions(before), exceptions(after), 'widens'),
    ...diffRules(before, after, 'deny'),
    ...diffRules(before, after, 'allow'),
  ];
}
