// Owns the policy's rules as ACLs: `denied` and `allowed` stand for what lib/policy/decide.ts says about a name and port.
import { type Clock, isLive } from '../../policy/clock.ts';
import { webPorts } from '../../policy/pattern.ts';
import type { Policy, Rule } from '../../policy/policy.ts';
import { renderNames } from './names.ts';
import type { PrincipalNumbers } from './numbers.ts';
import { scopeTerms, scopeWord } from './principals.ts';

/** The ACL of a pattern's port; none without one: every port. */
export function portTerms(port: number | undefined): string[] {
  return port === undefined ? [] : [`port_${port}`];
}

interface RuleGroup {
  readonly word: string;
  readonly rules: [Rule, ...Rule[]];
}

/** Rules with the same scope, effect and port, in an order that does not depend on the file's. */
function groupRules(rules: readonly Rule[], numbers: PrincipalNumbers): RuleGroup[] {
  const groups = new Map<string, RuleGroup>();
  for (const rule of rules) {
    const { scope, effect, pattern } = rule;
    const word = [scopeWord(scope, numbers), effect, ...(pattern.port === undefined ? [] : [pattern.port])].join('_');
    const group = groups.get(word);
    if (group === undefined) groups.set(word, { word, rules: [rule] });
    else group.rules.push(rule);
  }
  const byNumbers = new Intl.Collator('en', { numeric: true });
  return [...groups.values()].toSorted((a, b) => byNumbers.compare(a.word, b.word));
}

/** What the names of the rules are compared with. */
export interface NameSource {
  /** The ACL's type with its flags. */
  readonly type: string;
  /** Behind the names of all its ACLs. */
  readonly suffix: string;
}

/** The host in the request; without a reverse look-up, or a PTR record would speak for an address. */
export const requestedHost: NameSource = { type: 'dstdomain -n', suffix: '' };

function renderGroup({ word, rules }: RuleGroup, numbers: PrincipalNumbers, { type, suffix }: NameSource): string[] {
  const { effect, scope, pattern } = rules[0];
  const patterns = rules.map((rule) => rule.pattern);
  const { lines, alternatives } = renderNames(`${word}${suffix}`, patterns, type);
  const port = pattern.port === undefined && effect === 'allow' ? ['web_port'] : portTerms(pattern.port);
  const terms = [...scopeTerms(scope, numbers), ...port];
  const verdict = `${effect === 'allow' ? 'allowed' : 'denied'}${suffix}`;
  return [
    ...lines,
    ...alternatives.map((alternative) => `acl ${verdict} all-of ${[...terms, ...alternative].join(' ')}`),
  ];
}

export interface RuleAcls {
  readonly acls: readonly string[];
  /** Whether the ACLs `allowed` and `denied` exist: Squid has no empty ones. */
  readonly allows: boolean;
  readonly denies: boolean;
  /** The same lists for another name of a request: `allowed` and `denied` with that suffix. */
  again(source: NameSource): string[];
}

/**
 * All denials come before all allowances, so for the result only two questions are left: does any denial of the principal's scopes
 * match, and does any allowance. A grant that has ended at `clock` is left out.
 */
export function renderRules(policy: Policy, numbers: PrincipalNumbers, clock: Clock): RuleAcls {
  const live = policy.rules.filter(({ end }) => isLive(end, clock));
  const ports = new Set([...live, ...policy.exceptions].flatMap(({ pattern }) => pattern.port ?? []));
  const groups = groupRules(live, numbers);
  const again = (source: NameSource) => groups.flatMap((group) => renderGroup(group, numbers, source));
  return {
    acls: [
      `acl web_port port ${webPorts.join(' ')}`,
      ...[...ports].sort((a, b) => a - b).map((port) => `acl port_${port} port ${port}`),
      ...again(requestedHost),
    ],
    allows: live.some(({ effect }) => effect === 'allow'),
    denies: live.some(({ effect }) => effect === 'deny'),
    again,
  };
}
