// Owns reading Squid's log: lines that a guest had a hand in, as bounded values. The format is that of lib/firewall/squid/process.ts.
import { z } from 'zod';

/** One request, or one tunnel when it has ended. Texts are the guest's: printable() before anybody sees them. */
export interface AccessEntry {
  /** ms since the epoch, at its end. */
  readonly time: number;
  /** Id of the run and its principal, as the bridge said them. */
  readonly run: string | null;
  readonly tool: string | null;
  readonly profile: string | null;
  /** The port in the bridge's PROXY header: which of the run's connections. */
  readonly connection: number;
  /** Id of the first request on that connection, as the bridge said it and an answer of the proxy's own says it. */
  readonly request: string | null;
  readonly method: string;
  readonly host: string;
  /** 0 where the request had none that could be read. */
  readonly port: number;
  readonly result: 'allow' | 'deny';
  /** Why: a word of lib/firewall/squid/decision.ts; `malformed`; `protocol`: no TLS in a tunnel; `profile`: the bridge's. */
  readonly reason: string;
  readonly status: number;
  readonly squid: string;
  readonly error: string | null;
  /** The address that was reached. */
  readonly server: string | null;
  /** The server name in the tunnel's first message; with `sni: strict` only. */
  readonly sni: string | null;
  /** Bytes that the run sent, and received. */
  readonly bytesOut: number;
  readonly bytesIn: number;
  /** Duration. */
  readonly ms: number;
}

/** The entry of a request that the bridge itself refused: outside of what its run's profile lists. */
export function outsideEntry(
  { run, tool, profile }: { readonly run: string; readonly tool: string | undefined; readonly profile: string },
  target: { readonly host: string; readonly port: number } | undefined,
  request: string,
): AccessEntry {
  return {
    time: Date.now(),
    ...{ run, tool: tool ?? null, profile, connection: 0, request, method: '' },
    ...{ host: (target?.host ?? '').slice(0, mostText), port: target?.port ?? 0 },
    ...{ result: 'deny', reason: 'profile', status: 403, squid: '', error: null, server: null, sni: null },
    ...{ bytesOut: 0, bytesIn: 0, ms: 0 },
  };
}

/** Longer lines are not read: Squid takes 64 KiB of headers, and the log has few parts of them. */
export const mostLine = 65_536;
const mostText = 1000;

const amount = z.number().int().nonnegative().catch(0);
const text = z.string().max(mostLine);

const rawLine = z.object({
  time: z.number().int().nonnegative(),
  run: text,
  principal: text,
  source: text,
  connection: amount,
  request: text,
  method: text,
  host: text,
  port: text,
  reason: text,
  status: amount,
  squid: text,
  error: text,
  server: text,
  sni: text.optional(),
  sent: amount,
  received: amount,
  ms: amount,
});

/** Undoes Squid's URL encoding; what is no UTF-8 stays as it is. */
function decode(value: string): string {
  const cut = value.slice(0, 3 * mostText);
  let decoded = cut;
  try {
    decoded = decodeURIComponent(cut);
  } catch {
    // A cut or foreign sequence of bytes: the encoded form says as much.
  }
  return decoded.slice(0, mostText);
}

/** Squid writes `-` for what is not there. */
const present = (value: string) => (value === '' || value === '-' ? null : decode(value));

/** `tool=T;profile=P`, each part only where there is one. */
function readPrincipal(value: string): { readonly tool: string | null; readonly profile: string | null } {
  const parts = new Map((present(value) ?? '').split(';').map((part) => part.split('=', 2) as [string, string]));
  const part = (name: string) => parts.get(name) || null;
  return { tool: part('tool'), profile: part('profile') };
}

function readPort(value: string): number {
  const port = /^[0-9]{1,5}$/.test(value) ? Number(value) : 0;
  return port <= 65_535 ? port : 0;
}

/** With `sni: strict` a tunnel has two lines; the first says that it was opened and nothing has been reached yet. */
function isOpening({ method, squid, error }: z.output<typeof rawLine>): boolean {
  return method === 'CONNECT' && squid === 'NONE_NONE' && error.startsWith('-');
}

/** One line; null for one that another will follow; undefined for what is no entry of ours. Never throws. */
export function readAccessLine(line: string): AccessEntry | null | undefined {
  if (line.length > mostLine) return undefined;
  let raw: z.output<typeof rawLine>;
  try {
    raw = rawLine.parse(JSON.parse(line));
  } catch {
    return undefined;
  }
  // A request is judged anew where something about it turns out later (the name in its tunnel): one refusal is enough.
  const reasons = raw.reason === '-' ? [] : raw.reason.split(/,\s*/);
  const isForeign = raw.error.startsWith('ERR_PROTOCOL_UNKNOWN');
  const refusal = reasons.find((reason) => reason !== 'listed') ?? (isForeign ? 'protocol' : undefined);
  const allowed = reasons.length > 0 && refusal === undefined;
  if (allowed && isOpening(raw)) return null;
  return {
    time: raw.time,
    run: present(raw.run),
    ...readPrincipal(raw.principal),
    connection: raw.connection,
    request: present(raw.request),
    method: present(raw.method) ?? '',
    host: present(raw.host) ?? '',
    port: readPort(raw.port),
    result: allowed ? 'allow' : 'deny',
    reason: allowed ? 'listed' : (refusal ?? 'malformed'),
    status: raw.status,
    squid: raw.squid.slice(0, mostText),
    error: raw.error.startsWith('-') ? null : decode(raw.error),
    server: present(raw.server),
    sni: raw.sni === undefined ? null : present(raw.sni),
    bytesOut: raw.sent,
    bytesIn: raw.received,
    ms: raw.ms,
  };
}
