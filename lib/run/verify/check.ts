// Owns what a check is: a sentence, whether it can be shown to fail outside, and a judgement of what was seen.
import { printable } from '../../base/printable.ts';
import type { Evidence, Expected, Facts } from './evidence.ts';

export type Level = 'PASS' | 'FAIL' | 'SKIP';

export interface Verdict {
  readonly level: Level;
  /** What was seen: of the guest's world, so it is made printable before it is shown. */
  readonly seen: string;
}

/**
 * Whether the check has a positive control: the same act, or the same look, outside of a sandbox, where the check must
 * fail. Only what is harmless there has one. `needs` says why the control cannot show anything on this host.
 */
export type Control =
  | { readonly harmless: true; readonly needs?: (host: Facts) => string | undefined }
  | { readonly harmless: false; readonly why: string };

export interface Check {
  /** `topic.name`; for an attempt also its name in lib/run/native/probe. */
  readonly id: string;
  /** What holds, as a sentence. */
  readonly says: string;
  readonly control: Control;
  /** Whether the probe attempts or looks at something for it inside. */
  readonly inside: boolean;
  /** Why it cannot apply to this sandbox, or undefined. The only way to a SKIP besides an architecture without the call. */
  readonly unless?: (expected: Expected) => string | undefined;
  readonly judge: (evidence: Evidence) => Verdict;
}

export const harmless: Control = { harmless: true };

export function harmlessIf(needs: (host: Facts) => string | undefined): Control {
  return { harmless: true, needs };
}

export function noControl(why: string): Control {
  return { harmless: false, why };
}

export const refusedAnyway = noControl('the kernel refuses this to a plain user outside, too');

export function pass(seen: string): Verdict {
  return { level: 'PASS', seen };
}

export function fail(seen: string): Verdict {
  return { level: 'FAIL', seen };
}

/** PASS when it holds. */
export function verdict(holds: boolean, seen: string): Verdict {
  return { level: holds ? 'PASS' : 'FAIL', seen };
}

/** What is unexpected, or PASS when there is nothing of it. */
export function nothingOf(unexpected: readonly string[], seen: string): Verdict {
  return unexpected.length === 0 ? pass(seen) : fail(printable(unexpected.join(' '), 300));
}

/** A check that is judged from outside. */
export function outside(id: string, says: string, control: Control, judge: Check['judge']): Check {
  return { id, says, control, inside: false, judge };
}

/** An act that must come to one of `wanted` (errno or signal names) and nothing else: another refusal is not this protection. */
export function refuses(id: string, says: string, wanted: readonly string[], control: Control = harmless): Check {
  return {
    id,
    says,
    control,
    inside: true,
    judge: ({ attempts }) => {
      const { name, detail } = attempts.get(id);
      if (name === 'absent') return { level: 'SKIP', seen: 'this architecture has no such call' };
      return verdict(wanted.includes(name), detail === '' ? name : `${name} ${printable(detail, 100)}`);
    },
  };
}

/** Something that the probe looked at inside. `holds` gets the text that it saw; not having seen it is a failure. */
export function sees(
  id: string,
  says: string,
  control: Control,
  holds: (text: string, evidence: Evidence) => boolean,
): Check {
  return {
    id,
    says,
    control,
    inside: true,
    judge: (evidence) => {
      const { name, detail } = evidence.attempts.get(id);
      return verdict(
        name === 'ok' && holds(detail, evidence),
        name === 'ok' ? (detail === '' ? 'nothing' : printable(detail, 160)) : name,
      );
    },
  };
}
