// Owns the socket of one run: which connections are taken, which are refused and how, and ending all of them.
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Limits } from '../../policy/limits.ts';
import { Bounds, type Excess } from './bounds.ts';
import type { BridgedRun, BridgeSummary, Upstream } from './bridge.ts';
import { chunkBytes, readBuffer } from './chunks.ts';
import { Connection } from './connection.ts';
import { encodeHeader, type RunIdentity } from './header.ts';
import { holdFirst } from './hold.ts';

export interface DoorRequest {
  readonly run: BridgedRun;
  readonly identity: RunIdentity;
  /** Where the proxy is now. */
  readonly upstream: () => Upstream | undefined;
  /** Whether the bridge can take one more. */
  readonly hasRoom: () => boolean;
}

/** Without a byte either way a connection ends; one that never said anything, sooner (hold.ts). */
const idleMs = 15 * 60_000;
/** How long a refusal waits to be read, and how many may wait. */
const refusalMs = 1000;
const mostRefusals = 64;

type Refusal = Excess | 'closed';

const refusals: Readonly<Record<Refusal, readonly [string, string]>> = {
  'at once': ['429 Too Many Requests', 'too many connections of this sandbox are open'],
  minute: ['429 Too Many Requests', 'the limits of this minute are reached'],
  run: ['429 Too Many Requests', 'the limits of this run are reached'],
  closed: ['503 Service Unavailable', 'the way out is closed'],
};

// Before anything of the guest's was read, so that nothing of it is answered: only that there is no way.
function refusalText(refusal: Refusal): string {
  const [status, why] = refusals[refusal];
  const body = `${why}\n`;
  return `HTTP/1.1 ${status}\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;
}

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
    this.bounds = new Bounds(request.run.limits);
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

  private hold(client: Socket): void {
    this.held++;
    holdFirst(client, this.run.ask, this.closing.signal).then((held) => {
      this.held--;
      // The proxy may be another one by now: it is the one that enforces the answer.
      const upstream = this.request.upstream();
      if (held !== undefined && upstream !== undefined) {
        this.join(client, upstream, this.run.nameRequest(held.target)).begin(held.bytes, held.ended);
        return;
      }
      this.bounds.disconnect();
      if (held === undefined) client.destroy();
      else this.refuse(client, 'closed');
    });
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
    client.on('error', () => undefined);
    if (this.refusing.size >= mostRefusals) {
      client.destroy();
      return;
    }
    this.refusing.add(client);
    const late = setTimeout(() => client.destroy(), refusalMs).unref();
    client.on('close', () => {
      clearTimeout(late);
      this.refusing.delete(client);
    });
    client.end(refusalText(refusal));
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
