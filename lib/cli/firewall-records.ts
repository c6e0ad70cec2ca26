// Owns the records of refused requests that a caller may see and answer: their own and, for root on a worker host, everybody's.
import { CofferdamError } from '../base/errors.ts';
import { type RecordOf, requestRecords } from '../service/egress/systemPlaces.ts';
import { tellAnswer } from '../service/egress/wayOut.ts';
import { type EgressRequest, findRequest, type Requests, readRequests } from '../service/requests/requests.ts';
import { type Answer, recordAnswer } from '../service/requests/store.ts';
import type { CliContext } from './context.ts';

export interface FoundRequest {
  readonly request: EgressRequest;
  readonly record: RecordOf;
}

export interface AllRequests extends Pick<Requests, 'unkept' | 'unreadable'> {
  readonly found: readonly FoundRequest[];
}

export function recordsOf({ paths, uid }: CliContext): RecordOf[] {
  return requestRecords(paths, uid);
}

/** All that is recorded, by caller, in the order in which it was first denied. */
export async function readAllRequests(context: CliContext): Promise<AllRequests> {
  const now = Date.now();
  const read = await Promise.all(
    recordsOf(context).map(async (record) => ({ record, requests: await readRequests(record.folder, now) })),
  );
  return {
    found: read.flatMap(({ record, requests }) => [...requests.byId.values()].map((request) => ({ request, record }))),
    unkept: new Map(read.flatMap(({ requests }) => [...requests.unkept])),
    unreadable: read.reduce((sum, { requests }) => sum + requests.unreadable, 0),
  };
}

/** The one whose id is, or begins with, `text`. Throws ID_INVALID, REQUEST_UNKNOWN. */
export async function findAsked(context: CliContext, text: string): Promise<FoundRequest> {
  const { found } = await readAllRequests(context);
  const byId = new Map(found.map(({ request }) => [request.id, request]));
  const request = findRequest({ byId, unkept: new Map(), unreadable: 0 }, text);
  const of = found.findLast((one) => one.request === request);
  if (of === undefined) throw new RangeError(text);
  return of;
}

/** Writes an answer down, or has it written by the service of the host. Throws what that throws. */
export async function giveAnswer(
  context: CliContext,
  { request, record }: FoundRequest,
  answer: Answer,
): Promise<void> {
  const { paths, uid, env } = context;
  const { caller, folder, served } = record;
  if (!served) {
    recordAnswer({ folder, now: Date.now }, request.id, answer);
    return;
  }
  const told = { caller, id: request.id, answer: answer.answer, until: answer.until ?? null };
  try {
    await tellAnswer({ paths, uid, env }, told);
  } catch (error) {
    // What lets out is the policy, which has been written: what became of the request is only not told.
    if (answer.answer === 'rejected' || !(error instanceof CofferdamError) || error.code !== 'EGRESS_DOWN') throw error;
    context.terminal.err(`firewall: that it was approved is not recorded: ${error.message}\n`);
  }
}
