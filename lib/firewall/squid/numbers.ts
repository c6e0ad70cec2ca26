// Owns the numbers of tools and profiles, and the source address that says to Squid who asks: the bridge writes it, ACLs match it.
import { CofferdamError } from '../../base/errors.ts';
import type { Principal } from '../../policy/decide.ts';
import type { Policy, Scope } from '../../policy/policy.ts';

/** From 1, in the order of their names; whoever the policy does not name has 0. Another policy, other numbers. */
export interface PrincipalNumbers {
  readonly tools: ReadonlyMap<string, number>;
  readonly profiles: ReadonlyMap<string, number>;
}

/** A unique local prefix (RFC 4193) that no packet ever carries: it stands in PROXY headers between bridge and Squid alone. */
export const sourcePrefix = 'fd65:6772:6573';

const mostNumbers = 0xffff;
const mostRun = 1n << 48n;

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

const hextet = (value: number | bigint) => value.toString(16);

/** The address that stands for `principal` and its run; `run` is a number of 48 bits that no other live run has. */
export function sourceAddress(numbers: PrincipalNumbers, { tool, profile }: Principal, run: bigint): string {
  if (run < 0n || run >= mostRun)
    throw new CofferdamError('INTERNAL', `the number of a run, ${run}, has more than 48 bits`);
  const toolNumber = tool === undefined ? 0 : (numbers.tools.get(tool) ?? 0);
  const profileNumber = profile === undefined ? 0 : (numbers.profiles.get(profile) ?? 0);
  const parts = [run >> 32n, (run >> 16n) & 0xffffn, run & 0xffffn];
  return [sourcePrefix, hextet(toolNumber), hextet(profileNumber), ...parts.map(hextet)].join(':');
}
