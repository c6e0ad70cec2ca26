// Owns verifying: which checks apply, judging each, counting.
import { messageOf } from '../../base/errors.ts';
import { lacksCheck } from '../../engine/matrix.ts';
import type { Host, PlanWish } from '../prepare.ts';
import type { Check, Level, Verdict } from './check.ts';
import { examineSandbox } from './confined.ts';
import type { Evidence, Expected } from './evidence.ts';
import { readFacts } from './facts.ts';
import { judgeGuest } from './gvisor.ts';
import { allChecks } from './list.ts';
import { readProbe } from './probe.ts';
import { examineOutside } from './unconfined.ts';

export interface Judged extends Verdict {
  readonly id: string;
  readonly says: string;
  /** Whether the check has a positive control. */
  readonly control: boolean;
}

export interface Verified {
  readonly profile: string;
  readonly engine: string;
  readonly unconfined: boolean;
  /** Whether every check came out as it must: PASS in a sandbox, FAIL outside. A SKIP says why it cannot apply. */
  readonly ok: boolean;
  readonly counts: Readonly<Record<'passed' | 'failed' | 'skipped', number>>;
  readonly checks: readonly Judged[];
}

/** Why a check cannot hold: for this sandbox, or with its engine (lib/engine/matrix.ts). */
function whyNot({ id, unless }: Check, expected: Expected): string | undefined {
  return unless?.(expected) ?? lacksCheck(expected.engine, id);
}

/** What could not be seen is a failure, never a pass. */
export function judge(check: Check, evidence: Evidence): Verdict {
  const reason = whyNot(check, evidence.expected);
  if (reason !== undefined) return { level: 'SKIP', seen: reason };
  try {
    return evidence.around === undefined ? check.judge(evidence) : judgeGuest(check, evidence, evidence.around);
  } catch (error) {
    return { level: 'FAIL', seen: messageOf(error) };
  }
}

function summarise(profile: string, unconfined: boolean, engine: string, checks: readonly Judged[]): Verified {
  const count = (level: Level) => checks.filter((check) => check.level === level).length;
  const counts = { passed: count('PASS'), failed: count('FAIL'), skipped: count('SKIP') };
  const wrong = unconfined ? counts.passed : counts.failed;
  return { profile, engine, unconfined, ok: wrong === 0 && checks.length > counts.skipped, counts, checks };
}

function named({ id, says, control }: Check, verdict: Verdict): Judged {
  return { id, says, control: control.harmless, ...verdict };
}

const applies = (expected: Expected) => (check: Check) => whyNot(check, expected) === undefined;

/** Starts one sandbox of the profile and judges it by every check. Throws what refuses or fails the run. */
export async function verifySandbox(wish: Omit<PlanWish, 'collectsArtifacts'>, host: Host): Promise<Verified> {
  const probe = readProbe(host.paths.install);
  const evidence = await examineSandbox(wish, host, probe, (expected) => allChecks.filter(applies(expected)));
  const judged = allChecks.map((check) => named(check, judge(check, evidence)));
  return summarise(wish.profile, false, evidence.expected.engine, judged);
}

/**
 * The checks that have a control, judged outside of any sandbox: each must fail. Those whose control shows nothing on this
 * host are skipped, with the reason.
 */
export async function verifyControls(wish: Omit<PlanWish, 'collectsArtifacts'>, host: Host): Promise<Verified> {
  const probe = readProbe(host.paths.install);
  const here = readFacts(process.pid);
  const controlled = allChecks.flatMap((check) =>
    check.control.harmless ? [{ check, reason: check.control.needs?.(here) }] : [],
  );
  const able = controlled.filter(({ reason }) => reason === undefined).map(({ check }) => check);
  const evidence = await examineOutside(wish, host, probe, (expected) => able.filter(applies(expected)));
  const judged = controlled.map(({ check, reason }) =>
    named(check, reason === undefined ? judge(check, evidence) : { level: 'SKIP', seen: reason }),
  );
  return summarise(wish.profile, true, evidence.expected.engine, judged);
}
