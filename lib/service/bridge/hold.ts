// Owns a connection's first line: where its request leads, so that it has a name and, asked about, waits. The proxy alone decides.
import type { Socket } from 'node:net';
import { readPort } from '../../policy/pattern.ts';

export interface Target {
  /** As the guest wrote it. */
  readonly host: string;
  readonly port: number;
}

/** Asks about a request; what it settles with does not matter, only when. Never rejects. */
export type AskAbout = (target: Target, signal: AbortSignal) => Promise<unknown>;

/** Longer request lines are not looked at; the proxy refuses them by its own bound. */
const mostLine = 8192;
/** Read ahead of the answer at most, beside what one chunk holds. */
const mostBytes = 65_536;
/** How long a guest may take to say its first line, ms. */
const silentMs = 60_000;

/** Where a request line leads: `CONNECT HOST:PORT`, or a method and `http://HOST[:PORT]/…`. Undefined for everything else. */
export function readRequestTarget(line: string): Target | undefined {
  const [, method, uri] = /^([A-Z]{1,20}) ([\x21-\x7e]{1,8192}) HTTP\/1\.[01]$/.exec(line) ?? [];
  if (method === undefined || uri === undefined) return undefined;
  const authority = method === 'CONNECT' ? uri : /^http:\/\/([^/?#]*)/i.exec(uri)?.[1];
  const [, host, port] = /^(.+?)(?::([0-9]{1,5}))?$/.exec(authority ?? '') ?? [];
  if (host === undefined || (method === 'CONNECT' && port === undefined)) return undefined;
  const number = port === undefined ? 80 : readPort(port);
  return number === undefined ? undefined : { host, port: number };
}

/** What a guest sent until its first line was there and, where somebody was asked, answered. */
export interface Held {
  /** Where its request leads; undefined where the first line is none of a request. */
  readonly target: Target | undefined;
  readonly bytes: Buffer;
  /** It sends no more. */
  readonly ended: boolean;
}

/**
 * Reads until the first request says where it leads, and waits for the answer to it, where there is somebody to `ask`. Undefined when
 * the connection is gone, or `signal` is aborted, meanwhile. Who closes its end is not waited for. `client` is paused afterwards.
 */
export async function holdFirst(
  client: Socket,
  ask: AskAbout | undefined,
  signal: AbortSignal,
): Promise<Held | undefined> {
  const over = new AbortController();
  const leave = () => over.abort();
  let got = Buffer.alloc(0);
  let ended = false;
  let take: (chunk: Buffer) => void = () => undefined;
  const finish = () => {
    ended = true;
    leave();
  };
  const line = new Promise<string | undefined>((done) => {
    const late = setTimeout(leave, silentMs).unref();
    const end = (said: string | undefined) => {
      clearTimeout(late);
      done(said);
    };
    over.signal.addEventListener('abort', () => end(undefined), { once: true });
    take = (chunk) => {
      got = Buffer.concat([got, chunk]);
      const at = got.indexOf('\r\n');
      if (at === -1 && got.length <= mostLine) return;
      end(at === -1 ? undefined : got.toString('latin1', 0, at));
      // What comes behind it waits with it, and is read so far that its end is seen.
      if (got.length > mostBytes) client.pause();
    };
  });
  // Without a listener for errors the guest's would be ours.
  client.on('error', leave).once('close', leave).once('end', finish).on('data', take);
  signal.addEventListener('abort', leave, { once: true });
  const said = await line;
  const target = said === undefined ? undefined : readRequestTarget(said);
  if (target !== undefined && !over.signal.aborted) await ask?.(target, over.signal);
  signal.removeEventListener('abort', leave);
  client.pause().off('data', take).off('end', finish).off('close', leave);
  return signal.aborted || client.destroyed || got.length === 0 ? undefined : { target, bytes: got, ended };
}
