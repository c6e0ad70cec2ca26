// Owns running Squids for the bridge of a worker host, as an account of their own: each as long as its connection.
import { readdirSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import type { Endpoint } from '../../firewall/model.ts';
import { parsePolicy } from '../../policy/load.ts';
import { type ParentProxy, readParentProxy } from '../../policy/parentProxy.ts';
import { readLineMessages, readMessage, writeMessage } from '../egress/lineSocket.ts';
import { failureOf } from '../egress/protocol.ts';
import { findSquid } from './binary.ts';
import { type RunningSquid, startSquid } from './generation.ts';
import { type HostEvent, type HostRequest, hostRequest, mostHostMessage } from './hostProtocol.ts';

export interface SquidHostOptions {
  /** Its own; everything in it goes at the start. A folder for each Squid is made in it. */
  readonly folder: string;
  /** Where they may listen; the host firewall knows the same. */
  readonly endpoints: readonly Endpoint[];
  /** Descriptor of the listening socket, which nobody but the bridge may connect to. */
  readonly listener: number;
}

export interface SquidHost {
  /** Ends every Squid. */
  close(): Promise<void>;
}

/** Each tunnel takes two; a host has many callers. */
const fdLimit = 32_768;

type Start = Extract<HostRequest, { do: 'start' }>;

function readParent(written: string | null): ParentProxy | undefined {
  if (written === null) return undefined;
  const { parent, fault } = readParentProxy(written);
  if (parent === undefined) throw new CofferdamError('PROXY_FAILED', `the parent proxy ${fault}`);
  return parent;
}

class Host implements SquidHost {
  private readonly options: SquidHostOptions;
  /** In the order of their start. */
  private readonly living = new Map<number, RunningSquid>();
  private readonly starting = new Set<number>();
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((socket) => this.serve(socket));
  private queue: Promise<unknown> = Promise.resolve();
  private made = 0;

  constructor(options: SquidHostOptions) {
    this.options = options;
  }

  async listen(): Promise<void> {
    await new Promise<void>((done, fail) => {
      this.server.once('error', fail);
      this.server.listen({ fd: this.options.listener }, () => {
        this.server.off('error', fail).on('error', () => undefined);
        done();
      });
    });
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    let squid: RunningSquid | undefined;
    let asked = false;
    const tell = (event: HostEvent) => {
      if (!socket.destroyed) writeMessage(socket, event);
    };
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.sockets.delete(socket);
      void squid?.stop({ drainMs: 0 });
    });
    const begin = async (start: Start) => {
      try {
        squid = await this.start(start, (entry) => tell({ event: 'entry', entry }));
        tell({ event: 'started', pid: squid.pid, port: squid.port });
        if (socket.destroyed) await squid.stop({ drainMs: 0 });
        const { text } = await squid.exited;
        tell({ event: 'exited', text });
      } catch (thrown) {
        tell({ event: 'failed', error: failureOf(thrown) });
      }
      socket.end();
    };
    readLineMessages(
      socket,
      (line) => {
        const request = readMessage(hostRequest, line);
        if (request?.do === 'stop') void squid?.stop({ drainMs: request.drainMs });
        else if (request?.do === 'start' && !asked) void begin(request);
        else socket.destroy();
        asked = true;
      },
      mostHostMessage,
    );
  }

  /** A port that none of ours has: where all have one, the oldest ends now rather than when it has drained. */
  private async findPort(): Promise<number> {
    const ports = this.options.endpoints.map(({ port }) => port);
    const free = ports.find((port) => !this.living.has(port) && !this.starting.has(port));
    if (free !== undefined) return free;
    const [oldest] = this.living;
    if (oldest === undefined) throw new CofferdamError('PROXY_FAILED', 'no port is free for the proxy');
    await oldest[1].stop({ drainMs: 0 });
    return this.findPort();
  }

  /** One after the other: each is given a port that it keeps. */
  private start(start: Start, onEntry: Parameters<typeof startSquid>[0]['onEntry']): Promise<RunningSquid> {
    const turn = this.queue.then(async () => {
      const policy = parsePolicy(start.policy, start.file);
      const port = await this.findPort();
      this.starting.add(port);
      try {
        const squid = await startSquid({
          policy,
          clock: start.clock,
          folder: join(this.options.folder, String(++this.made)),
          port,
          parent: readParent(start.parent),
          sni: policy.sni,
          dnsServers: policy.dnsServers,
          binary: findSquid(policy.sni),
          fdLimit,
          onEntry,
        });
        this.living.set(port, squid);
        void squid.exited.then(() => this.living.delete(port));
        return squid;
      } finally {
        this.starting.delete(port);
      }
    });
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    await this.queue;
    await Promise.all([...this.living.values()].map((squid) => squid.stop({ drainMs: 0 })));
  }
}

/** Starts it; from then on the bridge is answered. Throws what listening throws. */
export async function startSquidHost(options: SquidHostOptions): Promise<SquidHost> {
  const { folder } = options;
  for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
  const host = new Host(options);
  await host.listen();
  return host;
}
