// Owns the numbers of tools and profiles. They stand in the source address that the bridge writes and that Squid's ACLs match.
import { CofferdamError } from '../../base/errors.ts';
import type { Policy, Scope } from '../../policy/policy.ts';

/** From 1, in the order of their names; whoever the policy does not name has 0. Another policy, other numbers. */
export interface PrincipalNumbers {
  readonly tools: ReadonlyMap<string, number>;
  readonly profiles: ReadonlyMap<string, number>;
}

/**
 * `PREFIX:TOOL:PROFILE:RUN:RUN:RUN` is who asks. A unique local prefix (RFC 4193) that no packet ever carries: it stands in PROXY
 * headers between bridge and Squid alone.
 */
export const sourcePrefix = 'fd65:6772:6573';

const mostNumbers = 0xffff;

function numberNames(scopes: readonly Scope[], kind: Scope['kind']): Map<string, number> {
  const names = [...new Set(scopes.filter((scope) => scope.kind === kind).map(({ name }) => name))].sort();
  if (names.length > mostNumbers)
    throw new CofferdamError('FIREWALL_INPUT', `the policy names ${names.length} ${kind}s; there are ${mostNumbers}`);
  return new Map(names.map((name, i) => [name, i + 1]));
}

/** The numbers that a policy gives. Throws FIREWALL_INPUT for more than 65,535 tools or profiles. */
export function numberPrincipals({ limits, rules }: Policy): PrincipalNumbers {
  const scopes = [...limits, ...rules].map(({ scope }) => scope);
  return { tools: numberNames(scopes, 'tool'), profiles: numberNames(scopes, 'profile') };
}
