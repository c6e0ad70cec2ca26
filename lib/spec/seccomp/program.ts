// Owns the layout of the filter: ABI checks, the search for the number, argument checks, returns.
import { architectures, type SeccompArch } from './architecture.ts';
import { type Assembler, action, createAssembler, data, errno, op, type Target } from './bpf.ts';
import type { Comparison, Condition } from './conditions.ts';
import type { Answer, Rule } from './rules.ts';
import { type Segment, searchTree, type Tree } from './tree.ts';

const returns: Readonly<Record<string, number>> = {
  allow: action.allow,
  refuse: action.errno(errno.EPERM),
  missing: action.errno(errno.ENOSYS),
};

/** Equal conditions (chmod, fchmod …) share one label, hence one block of instructions. */
const labelOf = (answer: Answer): string => (typeof answer === 'string' ? answer : JSON.stringify(answer));

function segmentsOf(rules: readonly Rule[]): Segment[] {
  const segments: { first: number; outcome: string; weight: number }[] = [];
  const extend = (first: number, outcome: string, weight: number) => {
    const last = segments.at(-1);
    if (last?.outcome === outcome) last.weight += weight;
    else segments.push({ first, outcome, weight });
  };
  let next = 0;
  for (const rule of rules) {
    if (rule.number > next) extend(next, 'missing', 0);
    extend(rule.number, labelOf(rule.answer), 1);
    next = rule.number + 1;
  }
  extend(next, 'missing', 0);
  return segments;
}

function addComparison(to: Assembler, comparison: Comparison, holds: Target, fails: Target): Target {
  const { arg, mask, anyOf, noneOf } = comparison;
  const load = () => to.step(op.loadWord, data.argLow(arg));
  const partly = mask !== 0xffffffff;
  if (partly && anyOf?.length === 1 && anyOf[0] === 0) {
    to.branch(op.ifAnyBit, mask, fails, holds);
    return load();
  }
  const [values, match, otherwise] = anyOf === undefined ? [noneOf ?? [], fails, holds] : [anyOf, holds, fails];
  values.reduceRight((next, value) => to.branch(op.ifEqual, value, match, next), otherwise);
  if (partly) to.step(op.and, mask);
  return load();
}

function addCondition(to: Assembler, condition: Condition): Target {
  return condition.reduceRight<Target>(
    (otherwise, alternative) =>
      alternative.reduceRight<Target>(
        (holds, comparison) => addComparison(to, comparison, holds, otherwise),
        to.returning(action.allow),
      ),
    to.returning(action.errno(errno.EPERM)),
  );
}

function addTree(to: Assembler, tree: Tree, blocks: ReadonlyMap<string, Target>): Target {
  if ('outcome' in tree) return blocks.get(tree.outcome) ?? to.returning(returns[tree.outcome]!);
  const yes = addTree(to, tree.yes, blocks);
  const no = addTree(to, tree.no, blocks);
  return to.branch(tree.test === 'equal' ? op.ifEqual : op.ifAtLeast, tree.number, yes, no);
}

/**
 * The filter as an array of struct sock_filter, ready for seccomp(2). It keeps to the instructions that the kernel's
 * action cache understands (compare architecture and number with constants), so that from Linux 5.11 on an unconditional
 * allow costs one bitmap test and the program is not run.
 */
export function seccompProgram(arch: SeccompArch, rules: readonly Rule[]): Uint8Array {
  const { auditArch, foreignFrom } = architectures[arch];
  const to = createAssembler();
  const blocks = new Map<string, Target>();
  for (const { answer } of rules.toReversed()) {
    const label = labelOf(answer);
    if (typeof answer !== 'string' && !blocks.has(label)) blocks.set(label, addCondition(to, answer));
  }
  const known = addTree(to, searchTree(segmentsOf(rules)), blocks);
  const kill = () => to.returning(action.killProcess);
  if (foreignFrom !== undefined) {
    // -1 has the foreign bit too, and is what a tracer on the host writes to skip a call.
    const foreign = to.branch(op.ifEqual, 0xffffffff, to.returning(action.errno(errno.ENOSYS)), kill());
    to.branch(op.ifAtLeast, foreignFrom, foreign, known);
  }
  const native = to.step(op.loadWord, data.number);
  to.branch(op.ifEqual, auditArch, native, kill());
  to.step(op.loadWord, data.arch);
  return to.bytes();
}
