// Owns the stage of the bridge's tests: a folder with a short name, a proxy that is ours, clients of a run's socket.
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Limits } from '../../../lib/policy/limits.ts';
import { type Bridge, type BridgeOptions, startBridge } from '../../../lib/service/bridge/bridge.ts';
import type { Target } from '../../../lib/service/bridge/hold.ts';

export const ample: Limits = {
  atOnce: 100,
  perRun: { connections: 10_000, requests: 10_000, bytes: 1 << 30 },
  perMinute: { connections: 10_000, requests: 10_000, bytes: 1 << 30 },
};

export interface Header {
  readonly source: string;
  readonly sourcePort: number;
  readonly target: string;
  readonly targetPort: number;
  readonly entries: ReadonlyMap<number, string>;
}

const fixed = 16;

/** Reads a header as the protocol's text says, and gives what follows it. */
export function readHeader(bytes: Buffer): { header: Header; rest: Buffer } | undefined {
  if (bytes.length < fixed) return undefined;
  const length = bytes.readUInt16BE(14);
  if (bytes.length < fixed + length) return undefined;
  if (bytes.subarray(0, 14).toString('latin1') !== '\r\n\r\n\0\r\nQUIT\n\x21\x21')
    throw new Error('no PROXY v2 header');
  const groups = (at: number) =>
    Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + 2 * i).toString(16)).join(':');
  const entries = new Map<number, string>();
  for (let at = fixed + 36; at < fixed + length; at += 3 + bytes.readUInt16BE(at + 1))
    entries.set(bytes[at] ?? 0, bytes.subarray(at + 3, at + 3 + bytes.readUInt16BE(at + 1)).toString());
  const header = {
    source: groups(16),
    target: groups(32),
    sourcePort: bytes.readUInt16BE(48),
    targetPort: bytes.readUInt16BE(50),
    entries,
  };
  return { header, rest: bytes.subarray(fixed + length) };
}

export interface Proxied {
  readonly header: Header;
  readonly socket: Socket;
}

export interface Proxy {
  readonly port: number;
  readonly seen: Proxied[];
}

/** A proxy that reads the header and hands the connection on, paused, with what came behind the header put back. */
export async function startProxy(t: Test, serve: (proxied: Proxied) => void): Promise<Proxy> {
  const seen: Proxied[] = [];
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => undefined);
    let bytes = Buffer.alloc(0);
    const read = (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk]);
      const found = readHeader(bytes);
      if (found === undefined) return;
      socket.off('data', read).pause();
      if (found.rest.length > 0) socket.unshift(found.rest);
      const proxied = { header: found.header, socket };
      seen.push(proxied);
      serve(proxied);
    };
    socket.on('data', read);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', () => done()));
  t.teardown(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { port: typeof address === 'object' && address !== null ? address.port : 0, seen };
}

/** Answers with all that it was sent, once its end has come. */
export function echo({ socket }: Proxied): void {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('end', () => socket.end(Buffer.concat(chunks)));
  socket.resume();
}

export function makeBridge(t: Test, options: Pick<BridgeOptions, 'mostRuns'> = {}): Bridge {
  const folder = mkdtempSync(join(tmpdir(), 'cft-bridge-'));
  const bridge = startBridge({ folder, passed: false, ...options });
  t.teardown(() => {
    bridge.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return bridge;
}

export const numbers = { tools: new Map([['web.search@v1', 2]]), profiles: new Map([['python-tools', 0x1f]]) };

/** Ids for tests: `qPORT`, `q0` for what is no request. */
export const nameRequest = (target: Target | undefined): string => `q${target?.port ?? 0}`;

/** What else a run of the tests has. */
export const usual = { nameRequest, within: undefined, onOutside: () => undefined };

export async function addRun(bridge: Bridge, run: string, limits: Limits = ample): Promise<string> {
  const { folder } = await bridge.addRun({ run, tool: 'web.search@v1', profile: 'python-tools', limits, ...usual });
  return join(folder, 'proxy.sock');
}

/** All that comes back for `sent`, whose end is sent too; or the error's code. */
export async function ask(path: string, sent: string | Uint8Array): Promise<string> {
  const chunks: Buffer[] = [];
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('data', (chunk) => chunks.push(chunk)).end(sent);
  return new Promise((done) => {
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code ?? ''));
    socket.once('close', () => done(Buffer.concat(chunks).toString('latin1')));
  });
}

/** A connection that stays open, and has said its first line. */
export async function hold(t: Test, path: string): Promise<Socket> {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => undefined);
  t.teardown(() => socket.destroy());
  await new Promise<void>((done) => socket.once('connect', () => done()));
  socket.write('held\r\n');
  return socket;
}

export async function closed(socket: Socket): Promise<boolean> {
  if (socket.closed) return true;
  socket.resume();
  socket.on('end', () => socket.destroy());
  await new Promise<void>((done) => socket.once('close', () => done()));
  return true;
}
