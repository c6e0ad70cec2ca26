// Owns the requests that a log tells of: each once, with how often it was denied and what became of it.
import { CofferdamError } from '../../base/errors.ts';
import { idPattern } from '../../base/ids.ts';
import { tailLines } from '../../base/lineLog.ts';
import { printable } from '../../base/printable.ts';
import { type DenialLine, type RequestLine, readRequestLine } from './line.ts';
import { requestLog } from './store.ts';

export interface EgressRequest
  extends Pick<DenialLine, 'id' | 'run' | 'tool' | 'profile' | 'host' | 'port' | 'reason' | 'text' | 'where'> {
  readonly first: number;
  /** ms since the epoch. */
  last: number;
  count: number;
  /** waiting: held and not answered yet; expired: nobody answered. The first answer holds. */
  state: 'denied' | 'waiting' | 'approved' | 'rejected' | 'expired';
  /** waiting: until when it is held; approved: the end of what was granted. ms since the epoch. */
  until: number | undefined;
}

export interface Requests {
  /** By id, in the order in which they were first denied. */
  readonly byId: Map<string, EgressRequest>;
  /** Denials that are not among them, by run. */
  readonly unkept: Map<string, number>;
  /** Lines that are none of ours. */
  unreadable: number;
}

function begin({ time, id, run, tool, profile, host, port, reason, text, where }: DenialLine): EgressRequest {
  const asked = { id, run, tool, profile, host, port, reason, text, where };
  return { ...asked, first: time, last: time, count: 1, state: 'denied', until: undefined };
}

/** Adds what a line says. Lines about requests that are not known (rotated away, made up) say nothing. */
export function addLine({ byId, unkept }: Requests, line: RequestLine): void {
  if (line.event === 'request.unkept') {
    unkept.set(line.run, line.count);
    return;
  }
  const found = byId.get(line.id);
  if (line.event === 'request.denied') {
    // The first one holds: nothing that comes later makes an id stand for another host.
    if (found === undefined) byId.set(line.id, begin(line));
    return;
  }
  if (found === undefined) return;
  const answered = found.state === 'approved' || found.state === 'rejected';
  if (line.event === 'request.counted') {
    found.count = Math.max(found.count, line.count);
    found.last = Math.max(found.last, line.time);
  } else if (line.event === 'approval.requested') {
    found.state = 'waiting';
    found.until = line.until;
  } else if (line.event === 'approval.resolved' && !answered) {
    found.state = line.answer;
    found.until = line.until ?? undefined;
  } else if (line.event === 'approval.expired' && !answered) {
    found.state = 'expired';
    found.until = undefined;
  }
}

/** Everything that the log in `folder` (`<paths.state>/egress`) tells at `now`, ms since the epoch. */
export async function readRequests(folder: string, now: number): Promise<Requests> {
  const requests: Requests = { byId: new Map(), unkept: new Map(), unreadable: 0 };
  for await (const text of tailLines(requestLog(folder))) {
    const line = readRequestLine(text);
    if (line === undefined) requests.unreadable++;
    else addLine(requests, line);
  }
  for (const request of requests.byId.values()) {
    // Whoever held it may have died without a word.
    if (request.state !== 'waiting' || (request.until ?? 0) > now) continue;
    request.state = 'expired';
    request.until = undefined;
  }
  return requests;
}

/** The one request whose id is, or begins with, `text`. Throws ID_INVALID, REQUEST_UNKNOWN. */
export function findRequest({ byId }: Requests, text: string): EgressRequest {
  if (!idPattern.test(text))
    throw new CofferdamError('ID_INVALID', `"${printable(text, 80)}" is not the id of a request`);
  const exact = byId.get(text);
  if (exact !== undefined) return exact;
  const found = text.length < 4 ? [] : [...byId.values()].filter(({ id }) => id.startsWith(text));
  if (found[0] !== undefined && found.length === 1) return found[0];
  const why = found.length === 0 ? 'no request has this id' : `${found.length} requests begin so`;
  throw new CofferdamError('REQUEST_UNKNOWN', `${text}: ${why}`);
}
