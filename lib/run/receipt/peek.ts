// Owns telling whether a run has its receipt already, so that none is made twice, whatever happened to runs.log.
import { createHash } from 'node:crypto';
import { type LostRun, recordOf } from './build.ts';
import { type Statement, statementSchema } from './statement.ts';
import { findReceipts, readReceipt } from './store.ts';

/** What a receipt file says, unverified: only to recognise our own. undefined when it says nothing that we understand. */
function peek(file: string): Statement | undefined {
  try {
    const { payload } = JSON.parse(readReceipt(file).toString('utf8')) as { payload: string };
    return statementSchema.parse(JSON.parse(Buffer.from(payload, 'base64').toString('utf8')));
  } catch {
    return undefined;
  }
}

/** Whether a receipt of `id` is about exactly this record. */
export function isCompleted(state: string, id: string, record: string): boolean {
  const files = findReceipts(state, id);
  if (files.length === 0) return false;
  const digest = createHash('sha256').update(record).digest('hex');
  return files.some((file) => peek(file)?.subject[0].digest.sha256 === digest);
}

/**
 * Whether a run that was freed has its receipt: as a lost one, or because its supervisor was killed after it had recorded the end.
 * Without the time of its launch, any receipt of its id and plan counts.
 */
export function wasCompleted(state: string, run: LostRun): boolean {
  const record = recordOf({ kind: 'lost', run });
  return findReceipts(state, run.id).some((file) => {
    const predicate = peek(file)?.predicate;
    if (predicate === undefined) return false;
    if (predicate.record === record) return true;
    const { plan } = predicate.digests;
    if (run.plan !== undefined && !('absent' in plan) && plan.sha256 !== run.plan) return false;
    const { startedAt } = predicate.times;
    if (run.launchedMs === undefined || startedAt === null) return true;
    return predicate.result.status !== 'lost' && Date.parse(startedAt) >= Math.floor(run.launchedMs);
  });
}
