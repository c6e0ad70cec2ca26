// Owns what a policy is once it is read: rules with their scope and place, exceptions, limits. Pure values.
import type { KeyPath, Located } from '../base/yaml.ts';
import type { Network } from './address.ts';
import { type End, readBootEnd } from './clock.ts';
import type { ParentProxy } from './parentProxy.ts';
import type { Pattern } from './pattern.ts';
import type { LimitsFile, PolicyFile, ScopeFile } from './schema.ts';

/** Whose rules: a tool's, a profile's, everybody's. `name` is empty for global. */
export interface Scope {
  readonly kind: 'tool' | 'profile' | 'global';
  readonly name: string;
}

export interface Rule {
  readonly effect: 'allow' | 'deny';
  readonly scope: Scope;
  readonly pattern: Pattern;
  /** The key in the file: `["tools", "web.search@v1", "allow", 0]`. */
  readonly path: KeyPath;
  /** `file:line:column`. */
  readonly where: string;
  /** Only a grant ends. */
  readonly end: End | undefined;
}

/** Networks that the names of `pattern` may resolve to, beside public ones. */
export interface PrivateException {
  readonly scope: Scope;
  readonly pattern: Pattern;
  readonly networks: readonly Network[];
  readonly where: string;
}

export type Approvals = PolicyFile['approvals'];

const fewestFirst: readonly Approvals[] = ['reject_all', 'prompt', 'approve_all'];

/** The stricter of two: what the policy asks for under the ceiling of the host. */
export function leastApprovals(one: Approvals, other: Approvals): Approvals {
  return fewestFirst.indexOf(one) < fewestFirst.indexOf(other) ? one : other;
}

export interface Policy {
  readonly file: string;
  readonly mode: 'scoped' | 'strict';
  readonly approvals: Approvals;
  readonly dnsServers: readonly string[];
  readonly sni: 'off' | 'strict';
  readonly parentProxy: ParentProxy | undefined;
  /** Whether the environment may choose the parent proxy. */
  readonly environmentProxy: boolean;
  /** In file order: global, profiles, tools, grants. */
  readonly rules: readonly Rule[];
  readonly exceptions: readonly PrivateException[];
  readonly limits: readonly { readonly scope: Scope; readonly limits: LimitsFile }[];
  /** Rules by the name in their pattern, so that ten thousand of them cost a look-up for each label of a name. */
  readonly byHost: ReadonlyMap<string, readonly Rule[]>;
}

export const globalScope: Scope = { kind: 'global', name: '' };

/** `global`, `tool web.search@v1`. */
export function scopeText({ kind, name }: Scope): string {
  return kind === 'global' ? kind : `${kind} ${name}`;
}

/** The map in the file that holds the lists of a scope. */
export function scopePath({ kind, name }: Scope): readonly string[] {
  return kind === 'global' ? ['global'] : [`${kind}s`, name];
}

function indexRules(rules: readonly Rule[]): Map<string, Rule[]> {
  const index = new Map<string, Rule[]>();
  for (const rule of rules) {
    const there = index.get(rule.pattern.host);
    if (there === undefined) index.set(rule.pattern.host, [rule]);
    else there.push(rule);
  }
  return index;
}

/** The policy of a file that the schema took; `document` gives the places. */
export function buildPolicy(content: PolicyFile, document: Located): Policy {
  const scopes: (readonly [Scope, ScopeFile])[] = [
    [globalScope, content.global],
    ...Object.entries(content.profiles).map(([name, found]) => [{ kind: 'profile', name }, found] as const),
    ...Object.entries(content.tools).map(([name, found]) => [{ kind: 'tool', name }, found] as const),
  ];
  const places = document.where;
  const listed = scopes.flatMap(([scope, found]) =>
    (['allow', 'deny'] as const).flatMap((effect) =>
      found[effect].map((pattern, i): Rule => {
        const path = [...scopePath(scope), effect, i];
        return { effect, scope, pattern, path, where: places(path), end: undefined };
      }),
    ),
  );
  const granted = content.grants.map((grant, i): Rule => {
    const named = grant.tool ?? grant.profile;
    const kind = grant.tool === undefined ? 'profile' : 'tool';
    const scope: Scope = named === undefined ? globalScope : { kind, name: named };
    const end = { wallMs: grant.until, boot: readBootEnd(grant.boot) };
    return { effect: 'allow', scope, pattern: grant.host, path: ['grants', i], where: places(['grants', i]), end };
  });
  const rules = [...listed, ...granted];
  return {
    file: document.file,
    mode: content.mode,
    approvals: content.approvals,
    dnsServers: content.dns.servers,
    sni: content.sni,
    parentProxy: content.parentProxy,
    environmentProxy: content.environmentProxy,
    rules,
    exceptions: scopes.flatMap(([scope, found]) =>
      found.private.map(({ host, addresses }, i) => {
        const where = places([...scopePath(scope), 'private', i]);
        return { scope, pattern: host, networks: addresses, where };
      }),
    ),
    limits: scopes.map(([scope, found]) => ({ scope, limits: found.limits })),
    byHost: indexRules(rules),
  };
}
