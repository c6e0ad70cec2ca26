// Owns host patterns as Squid's dstdomain lists: no entry within another (Squid dies of some such pairs), each pattern as it is meant.
import type { Pattern } from '../../policy/pattern.ts';

export interface NameAcl {
  readonly lines: readonly string[];
  /** The set is matched when all ACLs of one of these are. */
  readonly alternatives: readonly (readonly string[])[];
}

type Sort = Pattern['kind'];

/** `a.b.c`: `b.c`, `c`. */
function namesAbove(host: string): string[] {
  const labels = host.split('.');
  return labels.slice(1).map((_, i) => labels.slice(i + 1).join('.'));
}

/** Patterns without those that another stands for: what is left of `within` and `below` never overlaps. */
function dropCovered(patterns: readonly Pattern[]): Record<Sort, string[]> {
  const hosts = (kind: Sort) => new Set(patterns.filter((one) => one.kind === kind).map(({ host }) => host));
  const [within, below, exact] = [hosts('within'), hosts('below'), hosts('exact')];
  const isBelowOne = (host: string) => namesAbove(host).some((name) => within.has(name) || below.has(name));
  const left = (all: ReadonlySet<string>, isCovered: (host: string) => boolean) =>
    [...all].filter((host) => !isCovered(host)).sort();
  return {
    within: left(within, isBelowOne),
    below: left(below, (host) => within.has(host) || isBelowOne(host)),
    exact: left(exact, (host) => within.has(host) || isBelowOne(host)),
  };
}

/**
 * ACLs for a set of patterns; ports are not looked at. `type` is the ACL's type with its flags. Squid has no word for "below x, not
 * x": the list `.x` and the list of the x, which do not overlap, make it.
 */
export function renderNames(name: string, patterns: readonly Pattern[], type: string): NameAcl {
  const { within, below, exact } = dropCovered(patterns);
  const acl = (word: string, entries: readonly string[]) => entries.map((entry) => `acl ${word} ${type} ${entry}`);
  const plain = [...within.map((host) => `.${host}`), ...exact];
  return {
    lines: [
      ...acl(name, plain),
      ...acl(
        `${name}_below`,
        below.map((host) => `.${host}`),
      ),
      ...acl(`${name}_base`, below),
    ],
    alternatives: [
      ...(plain.length === 0 ? [] : [[name]]),
      ...(below.length === 0 ? [] : [[`${name}_below`, `!${name}_base`]]),
    ],
  };
}
