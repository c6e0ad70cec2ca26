// Owns the order of Squid's http_access: what no policy allows, denials, allowances, addresses; the first that matches decides.
import type { Guard } from './guard.ts';
import type { RuleAcls } from './rules.ts';

/** Why a request was refused, or `listed`; a word in the log. */
export const reasons = [
  ...[
    'principal',
    'manager',
    'method',
    'scheme',
    'literal',
    'rule',
    'unlisted',
    'address',
    'unresolved',
    'sni',
    'listed',
  ],
] as const;

// What HTTP clients, package managers and git use. Not TRACE, PURGE or WebDAV.
const methods = 'GET HEAD POST PUT PATCH DELETE OPTIONS CONNECT';

const acls = [
  `acl method method ${methods}`,
  'acl connect method CONNECT',
  'acl http proto HTTP',
  // No list holds one, so none is ever allowed; said apart, so that the log can tell, and before any look at lists.
  'acl literal dstdom_regex -n [:%] ^\\[ ^(.*\\.)?([0-9]+|0[xX][0-9a-fA-F]*)\\.?$',
  ...reasons.map((reason) => `acl is_${reason} annotate_transaction reason=${reason}`),
];

export interface DecisionInput {
  readonly rules: RuleAcls;
  readonly guard: Guard;
  /** Who reaches hosts: without a parent Squid itself, by the addresses it has looked at. */
  readonly resolvesHere: boolean;
}

/** Names come before DNS: nothing is resolved for a host that no rule allows. */
export function renderDecision({ rules, guard, resolvesHere }: DecisionInput): string[] {
  const deny = (terms: string, reason: (typeof reasons)[number]) => `http_access deny ${terms} is_${reason}`;
  return [
    ...acls,
    // Whatever has an address: a look-up that fails now and succeeds when the host is reached would pass unjudged.
    ...(resolvesHere ? ['acl resolved dst 0.0.0.0/1 128.0.0.0/1 2000::/3 fc00::/7'] : []),
    deny('!ours', 'principal'),
    deny('manager', 'manager'),
    deny('!method', 'method'),
    deny('!connect !http', 'scheme'),
    deny('literal', 'literal'),
    ...(rules.denies ? [deny('denied', 'rule')] : []),
    ...(rules.allows ? [deny('!allowed', 'unlisted')] : [deny('all', 'unlisted')]),
    ...(rules.allows ? guard.denials.map((terms) => deny(terms, 'address')) : []),
    ...(rules.allows && resolvesHere ? [deny('!resolved', 'unresolved')] : []),
    ...(rules.allows ? ['http_access allow allowed is_listed'] : []),
    'http_access deny all',
  ];
}
