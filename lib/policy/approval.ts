// Owns what an approval of a refused request would add to the policy: the host and port that were asked for, for who asked.
import { CofferdamError } from '../base/errors.ts';
import type { Clock, End } from './clock.ts';
import { decide, type Principal } from './decide.ts';
import { emptyPolicy, type PolicyEdit, readPatterns } from './edit.ts';
import { parsePolicy } from './load.ts';
import { outsideText } from './narrowing.ts';
import { globalScope, type Policy, type Scope } from './policy.ts';
import { scopeNames } from './schema.ts';

/** What was refused. Everything in it may be of the guest's making. */
export interface Refused {
  readonly tool: string | null;
  readonly profile: string | null;
  readonly host: string;
  readonly port: number;
  /** `profile`: no policy allows it, because the run's profile does not list it. */
  readonly reason?: string | undefined;
}

/** Who asked, as decide() takes it. */
export function principalOf({ tool, profile }: Pick<Refused, 'tool' | 'profile'>): Principal {
  return { tool: tool ?? undefined, profile: profile ?? undefined };
}

// The narrowest scope: a tool's approval lets no other tool of the same profile out.
function scopeOf({ tool, profile }: Refused): Scope | undefined {
  if (tool !== null) return scopeNames.tool.safeParse(tool).success ? { kind: 'tool', name: tool } : undefined;
  if (profile === null) return globalScope;
  return scopeNames.profile.safeParse(profile).success ? { kind: 'profile', name: profile } : undefined;
}

/**
 * The edit that lets the request through, or why none does, as a sentence. `end` makes it a grant. `policy` is the one in
 * force; undefined where there is none yet.
 */
export function planApproval(
  refused: Refused,
  policy: Policy | undefined,
  clock: Clock,
  end?: End,
): { readonly edit: PolicyEdit; readonly fault?: never } | { readonly fault: string } {
  const { host, port } = refused;
  if (refused.reason === 'profile') return { fault: outsideText };
  const scope = scopeOf(refused);
  if (scope === undefined) return { fault: 'who asked has a name that no rule can have' };
  const inForce = policy ?? parsePolicy(emptyPolicy, '');
  const { result, reason, text, rule } = decide(inForce, principalOf(refused), host, port, clock);
  if (result === 'allow') return { fault: 'the policy allows it by now' };
  if (reason !== 'unlisted' && reason !== 'port' && reason !== 'ended')
    return { fault: rule === undefined ? text : `${text}, ${rule.where}` };
  try {
    const patterns = readPatterns([`${host}:${port}`]);
    return { edit: end === undefined ? { verb: 'allow', scope, patterns } : { verb: 'grant', scope, patterns, end } };
  } catch (cause) {
    if (cause instanceof CofferdamError) return { fault: cause.message };
    throw cause;
  }
}

/** The same as a command for a person; its words are those of a pattern and of scope names, so a shell takes them as they are. */
export function approvalCommand({ scope, patterns }: PolicyEdit): string {
  const option = scope.kind === 'global' ? '' : `--${scope.kind} ${scope.name} `;
  return `firewall allow ${option}${patterns.map(({ text }) => text).join(' ')}`;
}
