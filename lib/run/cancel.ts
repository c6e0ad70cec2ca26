// Owns cancelling what a person no longer wants: the signal they sent goes on to the child, and what never began is said to be cancelled.
import { CofferdamError } from '../base/errors.ts';
import type { Streamed } from '../base/exec.ts';

const known = ['SIGINT', 'SIGHUP', 'SIGTERM'] as const;

/** Ends `child` when `signal` is aborted, by the signal that is its reason, or TERM. Gives what lets go of it. */
export function cancelOn(signal: AbortSignal, child: Pick<Streamed, 'kill'>): () => void {
  const cancel = () => child.kill(known.find((name) => name === signal.reason) ?? 'SIGTERM');
  if (signal.aborted) cancel();
  signal.addEventListener('abort', cancel);
  return () => signal.removeEventListener('abort', cancel);
}

/** What is wrong when `what` was ended by `by` and left no word of its own: CANCELLED where we did it, RUN_LOST otherwise. */
export function endedBy(what: string, by: string | undefined, signal: AbortSignal): CofferdamError {
  if (signal.aborted) return new CofferdamError('CANCELLED', `${what} was cancelled`);
  return new CofferdamError('RUN_LOST', `${what} was ended from outside${by === undefined ? '' : ` by ${by}`}`);
}
