// Owns the ACLs that tell who asks, by the source address that the bridge wrote.
import type { Scope } from '../../policy/policy.ts';
import { type PrincipalNumbers, sourcePrefix } from './numbers.ts';

/** Word for the rules of a scope, `tool_1`; it begins the names of all its ACLs. */
export function scopeWord({ kind, name }: Scope, { tools, profiles }: PrincipalNumbers): string {
  if (kind === 'global') return kind;
  return `${kind}_${(kind === 'tool' ? tools : profiles).get(name) ?? 'unnumbered'}`;
}

/** The ACL that an asker of this scope matches; none for global, which is everybody. */
export function scopeTerms(scope: Scope, numbers: PrincipalNumbers): string[] {
  return scope.kind === 'global' ? [] : [scopeWord(scope, numbers)];
}

const hex = (value: number) => value.toString(16);

/**
 * One ACL for each tool and profile. A profile's number stands behind any tool's, and Squid takes no mask with a gap for IPv6: so a
 * profile is a network for each tool, and one for what no tool has.
 */
export function renderPrincipals({ tools, profiles }: PrincipalNumbers): string[] {
  const behind = [0, ...tools.values()];
  return [
    `acl ours src ${sourcePrefix}::/48`,
    ...[...tools].flatMap(([name, number]) => [
      `# ${name}`,
      `acl tool_${number} src ${sourcePrefix}:${hex(number)}::/64`,
    ]),
    ...[...profiles].flatMap(([name, number]) => [
      `# ${name}`,
      ...behind.map((tool) => `acl profile_${number} src ${sourcePrefix}:${hex(tool)}:${hex(number)}::/80`),
    ]),
  ];
}
