// Owns the policy's answer for every syscall that has a name: allow, allow for some arguments, or which refusal.
import { allowedNames, answeredAsMissing } from './allowed.ts';
import { architectures, type SeccompArch } from './architecture.ts';
import { type Condition, conditions } from './conditions.ts';

/** `refuse` answers EPERM, `missing` ENOSYS. A number without a name is `missing`: newer than us, and libc falls back. */
export type Answer = 'allow' | 'refuse' | 'missing' | Condition;

export interface SeccompOptions {
  readonly arch: SeccompArch;
  /** A host folder is mounted read-write: creating set-id files and directories is refused as well. */
  readonly writableHostFolder: boolean;
}

export interface Rule {
  readonly name: string;
  readonly number: number;
  readonly answer: Answer;
}

/** One rule per known syscall of the architecture, in the order of their numbers. */
export function seccompRules(options: SeccompOptions): readonly Rule[] {
  const allowed = allowedNames();
  const { allowedIf, unreadable } = conditions(options.writableHostFolder);
  const missing = new Set([...answeredAsMissing, ...unreadable]);
  const answer = (name: string): Answer => {
    if (missing.has(name)) return 'missing';
    return allowedIf.get(name) ?? (allowed.has(name) ? 'allow' : 'refuse');
  };
  return Object.entries(architectures[options.arch].numbers)
    .map(([name, number]) => ({ name, number, answer: answer(name) }))
    .sort((a, b) => a.number - b.number);
}
