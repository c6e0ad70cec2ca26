// Owns what a step of host preparation is, and running steps so that a second time changes nothing.
import { CofferdamError, messageOf } from '../../base/errors.ts';

export interface Step {
  readonly id: string;
  /** What is there when the step is done. */
  readonly title: string;
  /** Costs speed, not safety: a failure is reported and passed over. */
  readonly optional?: true;
  /** What is missing, as one line; undefined when nothing is. */
  missing(): Promise<string | undefined>;
  apply(): Promise<void>;
}

export type StepState = 'already' | 'done' | 'missing' | 'failed';

export interface StepReport {
  readonly id: string;
  readonly title: string;
  readonly state: StepState;
  /** What was missing, or why it failed. */
  readonly text: string;
}

async function applyStep(step: Step, missing: string): Promise<StepReport> {
  const { id, title, optional } = step;
  try {
    await step.apply();
    // Believed only when the host says so itself.
    const left = await step.missing();
    if (left === undefined) return { id, title, state: 'done', text: missing };
    throw new CofferdamError('HOST_UNPREPARED', `${title}: still missing: ${left}`, { remedy: 'see: sandbox doctor' });
  } catch (cause) {
    if (optional === true) return { id, title, state: 'failed', text: messageOf(cause) };
    throw cause;
  }
}

/** What one step finds, and with `check` false what it mends. Throws what its tools throw, HOST_UNPREPARED. */
export async function runStep(step: Step, check: boolean): Promise<StepReport> {
  const { id, title } = step;
  const missing = await step.missing();
  if (missing === undefined) return { id, title, state: 'already', text: '' };
  return check ? { id, title, state: 'missing', text: missing } : await applyStep(step, missing);
}
