// Owns edits of firewall.yaml: allow, deny, remove, grant. Text to text; what else stands in the file stays as it is.
import { CofferdamError } from '../base/errors.ts';
import { didYouMean } from '../base/nearest.ts';
import { printable } from '../base/printable.ts';
import { appendToList, removeFromList, setWord } from '../base/yamlEdit.ts';
import { bootEndText, type Clock, type End, isLive } from './clock.ts';
import { parsePolicy } from './load.ts';
import { type Pattern, readPattern } from './pattern.ts';
import { type Policy, type Rule, type Scope, scopePath, scopeText } from './policy.ts';

export interface PolicyEdit {
  /** grant: allow until `end`; remove: from the allowances, denials and grants of the scope. */
  readonly verb: 'allow' | 'deny' | 'remove' | 'grant';
  readonly scope: Scope;
  readonly patterns: readonly Pattern[];
  readonly end?: End;
}

/** Another parent proxy, as readParentProxy() gives its text, or none. */
export interface ParentEdit {
  readonly verb: 'parent';
  readonly parent: string | undefined;
}

/** What a new firewall.yaml begins with: comments alone, a policy that denies everything. */
export const emptyPolicy =
  '# What sandboxes may reach: docs/firewall.md. `firewall list` shows it, `firewall allow` adds to it.\n';

/** The patterns of a command line. Throws PATTERN_INVALID, naming all that are none. */
export function readPatterns(texts: readonly string[]): Pattern[] {
  const readings = texts.map(readPattern);
  const faults = readings.flatMap(({ fault }) => (fault === undefined ? [] : [fault]));
  if (faults[0] !== undefined) throw new CofferdamError('PATTERN_INVALID', faults[0], { details: faults });
  return readings.flatMap((reading) => (reading.fault === undefined ? [reading.pattern] : []));
}

const sameScope = (a: Scope, b: Scope) => a.kind === b.kind && a.name === b.name;

function rulesOf(policy: Policy, scope: Scope, pattern: Pattern): Rule[] {
  return policy.rules.filter((rule) => sameScope(rule.scope, scope) && rule.pattern.text === pattern.text);
}

/** From the end, so that the places of those before stay right. */
function removeRules(text: string, file: string, rules: readonly Rule[]): string {
  const index = (rule: Rule) => Number(rule.path.at(-1));
  return rules
    .toSorted((a, b) => index(b) - index(a))
    .reduce(
      (now, rule) => removeFromList({ text: now, file, path: rule.path.slice(0, -1).map(String) }, index(rule)),
      text,
    );
}

function grantItem(scope: Scope, pattern: Pattern, { wallMs, boot }: End): Record<string, string> {
  return {
    host: pattern.text,
    ...(scope.kind === 'global' ? {} : { [scope.kind]: scope.name }),
    until: new Date(wallMs).toISOString(),
    ...(boot === undefined ? {} : { boot: bootEndText(boot) }),
  };
}

function remove(text: string, file: string, scope: Scope, pattern: Pattern): string {
  const policy = parsePolicy(text, file);
  const found = rulesOf(policy, scope, pattern);
  if (found.length > 0) return removeRules(text, file, found);
  const known = policy.rules.filter((rule) => sameScope(rule.scope, scope)).map((rule) => rule.pattern.text);
  const elsewhere = policy.rules.find((rule) => rule.pattern.text === pattern.text);
  const hint =
    elsewhere === undefined
      ? didYouMean(pattern.text, [...new Set(known)])
      : `; there is one for ${scopeText(elsewhere.scope)}`;
  throw new CofferdamError(
    'RULE_UNKNOWN',
    `no rule for ${scopeText(scope)} is "${printable(pattern.text, 260)}"${hint}`,
  );
}

function list(
  text: string,
  file: string,
  { scope, pattern, effect }: Pick<Rule, 'scope' | 'pattern' | 'effect'>,
): string {
  const there = rulesOf(parsePolicy(text, file), scope, pattern).some(
    (rule) => rule.effect === effect && rule.end === undefined,
  );
  return there ? text : appendToList({ text, file, path: [...scopePath(scope), effect] }, pattern.text);
}

// A grant takes the place of one for the same host, and the ended ones go: the list would grow with every approval.
function grant(text: string, file: string, edit: PolicyEdit, pattern: Pattern, clock: Clock): string {
  if (edit.end === undefined) throw new CofferdamError('INTERNAL', 'a grant needs an end');
  const { rules } = parsePolicy(text, file);
  const gone = rules.filter(
    (rule) =>
      rule.end !== undefined &&
      (!isLive(rule.end, clock) || (sameScope(rule.scope, edit.scope) && rule.pattern.text === pattern.text)),
  );
  const path = ['grants'];
  return appendToList({ text: removeRules(text, file, gone), file, path }, grantItem(edit.scope, pattern, edit.end));
}

function applyOne(text: string, file: string, edit: PolicyEdit, pattern: Pattern, clock: Clock): string {
  const { verb, scope } = edit;
  if (verb === 'remove') return remove(text, file, scope, pattern);
  if (verb === 'grant') return grant(text, file, edit, pattern, clock);
  return list(text, file, { scope, pattern, effect: verb });
}

/**
 * `text` with the edit made; what is there already is not added twice. Comments and layout stay. Throws RULE_UNKNOWN for a
 * removal of what is not there, POLICY_EDIT, and what parsePolicy() throws, of the text as it was or as it would be.
 */
export function editPolicy(text: string, file: string, edit: PolicyEdit | ParentEdit, clock: Clock): string {
  const edited =
    edit.verb === 'parent'
      ? setWord({ text, file, key: 'parentProxy' }, edit.parent)
      : edit.patterns.reduce((now, pattern) => applyOne(now, file, edit, pattern, clock), text);
  parsePolicy(edited, file);
  return edited;
}
