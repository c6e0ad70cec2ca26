// Owns what runs inside the namespace of a test's host: Squids that lib/service starts, and clients that speak to them byte by byte.
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { connect as connectTls } from 'node:tls';
import { CofferdamError, messageOf } from '../../lib/base/errors.ts';
import type { Clock } from '../../lib/policy/clock.ts';
import type { Principal } from '../../lib/policy/decide.ts';
import { parsePolicy } from '../../lib/policy/load.ts';
import { readParentProxy } from '../../lib/policy/parentProxy.ts';
import { encodeHeader } from '../../lib/service/bridge/header.ts';
import type { AccessEntry } from '../../lib/service/squid/accessLog.ts';
import { findSquid } from '../../lib/service/squid/binary.ts';
import { type RunningSquid, startSquid } from '../../lib/service/squid/generation.ts';

export interface StartOrder {
  readonly do: 'start';
  readonly policy: string;
  readonly clock: Clock;
  readonly folder: string;
  readonly dnsServers: readonly string[];
  readonly uid: number;
  readonly sni?: 'off' | 'strict';
  readonly parent?: string;
  readonly port?: number;
}

/** One connection to Squid. Bytes are latin1 text. */
export interface AskOrder {
  readonly do: 'ask';
  readonly squid: number;
  readonly as: Principal;
  readonly run: number;
  readonly send: string;
  /** After `200` for a tunnel. */
  readonly inTunnel?: string;
  /** TLS in the tunnel, with this server name, before `inTunnel`. */
  readonly tls?: { readonly name: string; readonly authority: string; readonly protocols?: readonly string[] };
  /** The request's id in the PROXY header. */
  readonly request?: string;
  /** In place of the PROXY header. */
  readonly header?: string;
}

export interface Answer {
  /** Of the first response; 0 when there was none. */
  readonly status: number;
  /** All that came back, latin1. */
  readonly text: string;
  /** The log's lines about this connection. */
  readonly entries: readonly AccessEntry[];
  readonly tlsError?: string;
}

export type Order = (
  | StartOrder
  | AskOrder
  | { readonly do: 'stop'; readonly squid: number; readonly drainMs: number }
) & { readonly id: number };

const squids = new Map<number, RunningSquid>();
const entries = new Map<number, AccessEntry[]>();
const settleMs = 150;
const patienceMs = 60_000;
let connections = 0;

async function start(order: StartOrder): Promise<object> {
  const squid = await startSquid({
    binary: findSquid(order.sni ?? 'off'),
    policy: parsePolicy(order.policy, 'firewall.yaml'),
    clock: order.clock,
    folder: order.folder,
    dnsServers: order.dnsServers,
    sni: order.sni,
    port: order.port,
    parent: order.parent === undefined ? undefined : readParentProxy(order.parent).parent,
    identity: { uid: order.uid, gid: order.uid },
    onEntry: (entry) => entries.set(entry.connection, [...(entries.get(entry.connection) ?? []), entry]),
  });
  squids.set(squid.port, squid);
  return { port: squid.port, pid: squid.pid };
}

/** Whether a whole response stands in `text` behind its head, by the length that it says. */
function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: *([0-9]+)/i.exec(text.slice(0, end + 2))?.[1];
  return end !== -1 && length !== undefined && text.length >= end + 4 + Number(length);
}

const isTunnel = (text: string) => /^HTTP\/1\.1 200 [^\r]*\r\n\r\n/.test(text);

/** Until `enough`, the end of the connection, or no patience left; then a moment for what follows. */
function read(socket: Socket, enough: (text: string) => boolean): Promise<string> {
  return new Promise((done) => {
    let text = '';
    let settle: NodeJS.Timeout | undefined;
    const end = () => {
      clearTimeout(settle);
      clearTimeout(patience);
      socket.off('data', take).off('close', end);
      done(text);
    };
    const patience = setTimeout(end, patienceMs);
    const take = (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!enough(text)) return;
      clearTimeout(settle);
      settle = setTimeout(end, settleMs);
    };
    socket.on('data', take).on('close', end);
  });
}

function secure(socket: Socket, { name, authority, protocols }: NonNullable<AskOrder['tls']>): Promise<Socket> {
  return new Promise((done, fail) => {
    const options = { socket, servername: name, ca: authority, checkServerIdentity: () => undefined };
    const tls = connectTls({ ...options, ...(protocols === undefined ? {} : { ALPNProtocols: [...protocols] }) });
    tls.once('secureConnect', () => done(tls)).once('error', fail);
    tls.once('close', () => fail(new Error('closed')));
  });
}

/** The log's lines come when a connection has ended: all are there when one is and a moment has passed. Those of a strange header name no connection. */
async function awaitEntries(connection: number, isNamed: boolean): Promise<AccessEntry[]> {
  if (!isNamed) return [];
  for (let i = 0; i < 3000 && !entries.has(connection); i++) await new Promise((done) => setTimeout(done, 10));
  await new Promise((done) => setTimeout(done, 50));
  return entries.get(connection) ?? [];
}

async function ask(order: AskOrder): Promise<Answer> {
  const squid = squids.get(order.squid);
  if (squid === undefined) throw new Error('there is no such Squid');
  connections = (connections % 60_000) + 1;
  const connection = connections;
  const { tool, profile = '' } = order.as;
  const identity = { run: `run-${order.run}`, number: order.run, tool, profile };
  const header =
    order.header === undefined
      ? encodeHeader(identity, squid.numbers, {
          counter: connection - 1,
          request: order.request ?? '',
          target: { address: '127.0.0.1', port: squid.port },
        })
      : Buffer.from(order.header, 'latin1');
  const socket = connect(squid.port, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(Buffer.concat([header, Buffer.from(order.send, 'latin1')]));
  const opensTunnel = order.inTunnel !== undefined || order.tls !== undefined;
  let text = await read(socket, (all) => isWhole(all) || isTunnel(all));
  let tlsError: string | undefined;
  if (opensTunnel && isTunnel(text)) {
    try {
      const inner = order.tls === undefined ? socket : await secure(socket, order.tls);
      inner.on('error', () => {});
      if (order.inTunnel !== undefined) {
        inner.write(Buffer.from(order.inTunnel, 'latin1'));
        text += await read(inner, isWhole);
      }
    } catch (cause) {
      tlsError = messageOf(cause);
    }
  }
  socket.destroy();
  const status = Number(/^HTTP\/1\.[01] ([0-9]{3})/.exec(text)?.[1] ?? 0);
  return {
    status,
    text,
    entries: await awaitEntries(connection, order.header === undefined),
    ...(tlsError === undefined ? {} : { tlsError }),
  };
}

async function obey(order: Order): Promise<unknown> {
  if (order.do === 'start') return await start(order);
  if (order.do === 'ask') return await ask(order);
  await squids.get(order.squid)?.stop({ drainMs: order.drainMs });
  squids.delete(order.squid);
  return {};
}

process.stdout.write('{"ready":true}\n');
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order;
  obey(order)
    .then(
      (answer) => ({ id: order.id, answer }),
      (cause: unknown) => ({
        id: order.id,
        fault: cause instanceof CofferdamError ? `${cause.code}: ${cause.message}` : messageOf(cause),
      }),
    )
    .then((said) => process.stdout.write(`${JSON.stringify(said)}\n`));
}
await Promise.all([...squids.values()].map((squid) => squid.stop({ drainMs: 0 })));
