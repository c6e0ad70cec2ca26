// Owns what the bridge itself answers: where it takes no connection, and where a request is outside of what its run may ask for.
import { pageText, requestHeader } from '../../firewall/squid/pages.ts';
import type { Excess } from './bounds.ts';

export type Refusal = Excess | 'closed';

const refusals: Readonly<Record<Refusal, readonly [string, string]>> = {
  'at once': ['429 Too Many Requests', 'too many connections of this sandbox are open'],
  minute: ['429 Too Many Requests', 'the limits of this minute are reached'],
  run: ['429 Too Many Requests', 'the limits of this run are reached'],
  closed: ['503 Service Unavailable', 'the way out is closed'],
};

function answer(status: string, body: string, more = ''): string {
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n${more}\r\n${body}`;
}

/** There is no way, whatever is asked for: nothing of the guest's has been looked at. */
export function refusalText(refusal: Refusal): string {
  const [status, why] = refusals[refusal];
  return answer(status, `${why}\n`);
}

/** The same as the proxy says of a host that it refuses. */
export function outsideAnswer(request: string): string {
  return answer('403 Forbidden', pageText(request, 'refused'), `${requestHeader}: ${request}\r\n`);
}
