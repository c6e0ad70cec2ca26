// Owns the same rules as an OCI `linux.seccomp` section, for runtimes that don't know our annotation.
import { architectures } from './architecture.ts';
import { errno } from './bpf.ts';
import type { Comparison, Condition } from './conditions.ts';
import type { Rule, SeccompOptions } from './rules.ts';

export interface OciSeccompArg {
  readonly index: number;
  readonly value: number;
  readonly valueTwo: number;
  readonly op: 'SCMP_CMP_MASKED_EQ';
}

export interface OciSeccompRule {
  readonly names: readonly string[];
  readonly action: 'SCMP_ACT_ALLOW' | 'SCMP_ACT_ERRNO';
  readonly errnoRet?: number;
  readonly args?: readonly OciSeccompArg[];
}

export interface OciSeccomp {
  readonly defaultAction: 'SCMP_ACT_ERRNO';
  readonly defaultErrnoRet: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly OciSeccompRule[];
}

interface Masked {
  readonly mask: number;
  readonly value: number;
}

/** All 32-bit numbers but these, as few as possible of the form "the bits of mask equal value". */
function allBut(values: readonly number[]): Masked[] {
  const cover = (bit: number, mask: number, value: number): Masked[] => {
    if (!values.some((refused) => (refused & mask) >>> 0 === value)) return [{ mask, value }];
    if (bit < 0) return [];
    const next = (mask | (1 << bit)) >>> 0;
    return [...cover(bit - 1, next, value), ...cover(bit - 1, next, (value | (1 << bit)) >>> 0)];
  };
  return cover(31, 0, 0);
}

const bitsOf = (mask: number): number[] =>
  Array.from({ length: 32 }, (_, bit) => (1 << bit) >>> 0).filter((bit) => (mask & bit) !== 0);

/** The ways in which a comparison can hold. */
function holding({ mask, anyOf, noneOf }: Comparison): Masked[] {
  return anyOf === undefined ? allBut(noneOf ?? []) : anyOf.map((value) => ({ mask, value }));
}

/** The ways in which it can fail; undefined where they are too many to write down. */
function failing({ mask, anyOf, noneOf }: Comparison): Masked[] | undefined {
  if (noneOf !== undefined) return noneOf.map((value) => ({ mask, value }));
  if (anyOf?.length === 1 && anyOf[0] === 0) return bitsOf(mask).map((bit) => ({ mask: bit, value: bit }));
  return undefined;
}

/** Every choice of one way per comparison. The format has no "or" inside a rule, only more rules. */
function choices(comparisons: readonly Comparison[], ways: (one: Comparison) => Masked[]): OciSeccompArg[][] {
  return comparisons.reduce<OciSeccompArg[][]>(
    (chosen, one) =>
      chosen.flatMap((args) =>
        ways(one).map(({ mask, value }) => [
          ...args,
          { index: one.arg, value: mask, valueTwo: value, op: 'SCMP_CMP_MASKED_EQ' as const },
        ]),
      ),
    [[]],
  );
}

function conditional(names: readonly string[], condition: Condition): OciSeccompRule[] {
  const allow = condition
    .flatMap((alternative) => choices(alternative, holding))
    .map((args) => ({ names, action: 'SCMP_ACT_ALLOW' as const, args }));
  // Refused when one comparison of each alternative fails. Written only where each alternative is one comparison with few
  // ways to fail; elsewhere (sockets, personality) the default refuses, with ENOSYS where our program says EPERM.
  const only = condition.map((alternative) => (alternative.length === 1 ? alternative[0] : undefined));
  const deniable = only.filter((one): one is Comparison => one !== undefined && failing(one) !== undefined);
  if (deniable.length !== condition.length) return allow;
  const refuse = choices(deniable, (one) => failing(one) ?? []).map((args) => ({
    names,
    action: 'SCMP_ACT_ERRNO' as const,
    errnoRet: errno.EPERM,
    args,
  }));
  return [...allow, ...refuse];
}

/**
 * The section that refuses and allows what seccompProgram does. Two answers differ, because the format has no "else" and
 * no way to name what a bad ABI gets: sockets and personalities that are refused for their arguments read ENOSYS instead
 * of EPERM, and a foreign ABI kills the thread where the runtime's libseccomp does so.
 */
export function ociSeccomp({ arch }: SeccompOptions, rules: readonly Rule[]): OciSeccomp {
  const names = (answer: string) => rules.filter((rule) => rule.answer === answer).map((rule) => rule.name);
  const shared = new Map<string, { names: string[]; condition: Condition }>();
  for (const { name, answer } of rules) {
    if (typeof answer === 'string') continue;
    const key = JSON.stringify(answer);
    const group = shared.get(key) ?? { names: [], condition: answer };
    shared.set(key, group);
    group.names.push(name);
  }
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    defaultErrnoRet: errno.ENOSYS,
    architectures: [architectures[arch].ociName],
    syscalls: [
      { names: names('allow'), action: 'SCMP_ACT_ALLOW' },
      { names: names('refuse'), action: 'SCMP_ACT_ERRNO', errnoRet: errno.EPERM },
      ...[...shared.values()].flatMap((group) => conditional(group.names, group.condition)),
    ],
  };
}
