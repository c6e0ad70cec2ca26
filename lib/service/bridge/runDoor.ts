// Owns the socket of one run: which connections are taken, which are refused and how, and ending all of them.
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Limits } from '../../policy/limits.ts';
import { isWithin } from '../../policy/narrowing.ts';
import { outsideAnswer, type Refusal, refusalText } from './answers.ts';
import { Bounds } from './bounds.ts';
import type { BridgedRun, BridgeSummary, Upstream } from './bridge.ts';
import { chunkBytes, readBuffer } from './chunks.ts';
import { Connection } from './connection.ts';
import { encodeHeader, type RunIdentity } from './header.ts';
import { type AskAbout, holdFirst, type Target } from './hold.ts';

export interface DoorRequest {
  readonly run: BridgedRun;
  readonly identity: RunIdentity;
  /** Where the proxy is now. */
  readonly upstream: () => Upstream | undefined;
  /** Whether the bridge can take one more. */
  readonly hasRoom: () => boolean;
  /** Of all runs: how many refusals wait to be read. */
  readonly refusals: { waiting: number };
}

/** Without a byte either way a connection ends; one that never said anything, sooner (hold.ts). */
const idleMs = 15 * 60_000;
/** How long a refusal waits to be read, and how many may wait. */
const refusalMs = 1000;
const mostRefusals = { ofRun: 64, all: 512 } as const;

export class RunDoor {
  readonly run: BridgedRun;
  private readonly request: DoorRequest;
  private readonly server: Server;
  private readonly bounds: Bounds;
  private readonly open = new Set<Connection>();
  /** Connections that have not said all of their first line yet, or wait for an answer about it. */
  private held = 0;
  private readonly refusing = new Set<Socket>();
  private readonly closing = new AbortController();
  private refused = 0;
  private counter = 0;

  constructor(request: DoorRequest) {
    this.request = request;
    this.run = request.run;
    this.bounds = new Bounds(request.run.limits, request.run.before);
    this.server = createServer({ allowHalfOpen: true, highWaterMark: chunkBytes + 1 }, (client) => this.take(client));
  }

  get size(): number {
    return this.open.size + this.held;
  }

  async listen(path: string): Promise<void> {
    await new Promise<void>((done, fail) => {
      this.server.once('error', fail);
      this.server.listen({ path, backlog: 511 }, () => {
        // What fails later is one connection's matter: the kernel has no descriptor left for it, for example.
        this.server.off('error', fail).on('error', () => undefined);
        done();
      });
    });
  }

  private take(client: Socket): void {
    const upstream = this.request.upstream();
    if (upstream === undefined || !this.request.hasRoom()) {
      this.refuse(client, 'closed');
      return;
    }
    const excess = this.bounds.connect(performance.now());
    if (excess === undefined) this.hold(client);
    else this.refuse(client, excess);
  }

  // Of a run whose profile lists hosts nothing else goes on, and what cannot be read is something else.
  private isOutside(target: Target | undefined): boolean {
    const { within } = this.run;
    return within !== undefined && (target === undefined || !isWithin(within, target.host, target.port));
  }

  private hold(client: Socket): void {
    this.held++;
    const { ask, nameRequest, onOutside } = this.run;
    const askOf = ask === undefined ? undefined : this.askWithin(ask);
    const judged = holdFirst(client, askOf, this.closing.signal).then((held) => {
      this.held--;
      // The proxy may be another one by now: it is the one that enforces the answer.
      const upstream = this.request.upstream();
      const request = nameRequest(held?.target);
      if (held !== undefined && upstream !== undefined && !this.isOutside(held.target)) {
        this.join(client, upstream, request).begin(held.bytes, held.ended);
        return;
      }
      this.bounds.disconnect();
      if (held === undefined) client.destroy();
      else if (upstream === undefined) this.refuse(client, 'closed');
      else {
        onOutside(held.target, request);
        this.answer(client, outsideAnswer(request));
      }
    });
    // A fault of ours is this connection's end, and not the daemon's.
    judged.catch(() => client.destroy());
  }

  // Nobody's answer lets out what the profile does not list.
  private askWithin(ask: AskAbout): AskAbout {
    return async (target, signal) => (this.isOutside(target) ? undefined : ask(target, signal));
  }

  private join(client: Socket, { address, port, numbers }: Upstream, request: string): Connection {
    const onread = {
      buffer: readBuffer,
      callback: (length: number, buffer: Uint8Array) => connection.receive(buffer.subarray(0, length)),
    };
    const socket = connect({ host: address, port, allowHalfOpen: true, noDelay: true, onread });
    const facts = { counter: this.counter++, request, target: { address, port } };
    socket.write(encodeHeader(this.request.identity, numbers, facts));
    const connection: Connection = new Connection({
      client,
      upstream: socket,
      bounds: this.bounds,
      onSpent: () => this.resetAll(),
      onClose: () => {
        this.open.delete(connection);
        this.bounds.disconnect();
      },
    });
    this.open.add(connection);
    return connection;
  }

  private refuse(client: Socket, refusal: Refusal): void {
    this.refused++;
    this.answer(client, refusalText(refusal));
  }

  private answer(client: Socket, text: string): void {
    client.on('error', () => undefined);
    const { refusals } = this.request;
    if (this.refusing.size >= mostRefusals.ofRun || refusals.waiting >= mostRefusals.all) {
      client.destroy();
      return;
    }
    this.refusing.add(client);
    refusals.waiting++;
    const late = setTimeout(() => client.destroy(), refusalMs).unref();
    client.on('close', () => {
      clearTimeout(late);
      this.refusing.delete(client);
      refusals.waiting--;
    });
    client.end(text);
    // Read and forgotten: closing with bytes unread would take the answer back.
    client.resume();
  }

  setLimits(limits: Limits): void {
    this.bounds.limits = limits;
    if (this.bounds.isSpent()) this.resetAll();
  }

  countRequests(requests: number): void {
    if (this.bounds.countRequests(requests, performance.now()) !== undefined) this.resetAll();
  }

  resetAll(): void {
    for (const connection of [...this.open]) connection.reset();
  }

  /** Ends what has been silent for too long. */
  sweep(nowMs: number): void {
    for (const connection of [...this.open]) if (nowMs - connection.lastActive > idleMs) connection.reset();
  }

  close(): BridgeSummary {
    this.server.close();
    this.closing.abort();
    this.resetAll();
    for (const client of [...this.refusing]) client.destroy();
    return this.used();
  }

  used(): BridgeSummary {
    return { ...this.bounds.used(), refused: this.refused };
  }
}
