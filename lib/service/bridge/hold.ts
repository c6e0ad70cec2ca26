// Owns waiting with a connection until somebody has answered for its first request. Nothing is decided here: the proxy does that.
import type { Socket } from 'node:net';

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
  const [, method, uri] = /^([A-Z]{1,20}) (\S{1,4096}) HTTP\/1\.[01]$/.exec(line) ?? [];
  if (method === undefined || uri === undefined) return undefined;
  const authority = method === 'CONNECT' ? uri : /^http:\/\/([^/?#]*)/i.exec(uri)?.[1];
  const [, host, port] = /^(.+?)(?::([0-9]{1,5}))?$/.exec(authority ?? '') ?? [];
  if (host === undefined || (method === 'CONNECT' && port === undefined)) return undefined;
  return { host, port: port === undefined ? 80 : Number(port) };
}

/** What a guest sent while it was held. */
export interface Held {
  readonly bytes: Buffer;
  /** It sends no more. */
  readonly ended: boolean;
}

/**
 * Reads until the first request says where it leads, and waits for the answer to it. Undefined when the connection is gone, or
 * `signal` is aborted, meanwhile. Who closes its end is not waited for. `client` is paused afterwards.
 */
export async function holdFirst(client: Socket, ask: AskAbout, signal: AbortSignal): Promise<Held | undefined> {
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
    over.signal.addEventListener('abort', () => done(undefined), { once: true });
    take = (chunk) => {
      got = Buffer.concat([got, chunk]);
      const end = got.indexOf('\r\n');
      if (end === -1 && got.length <= mostLine) return;
      clearTimeout(late);
      done(end === -1 ? undefined : got.toString('latin1', 0, end));
      // What comes behind it waits with it, and is read so far that its end is seen.
      if (got.length > mostBytes) client.pause();
    };
  });
  // Without a listener for errors the guest's would be ours.
  client.on('error', leave).once('close', leave).once('end', finish).on('data', take);
  signal.addEventListener('abort', leave, { once: true });
  const said = await line;
  const target = said === undefined ? undefined : readRequestTarget(said);
  if (target !== undefined && !over.signal.aborted) await ask(target, over.signal);
  signal.removeEventListener('abort', leave);
  client.pause().off('data', take).off('end', finish).off('close', leave);
  return signal.aborted || client.destroyed || got.length === 0 ? undefined : { bytes: got, ended };
}
