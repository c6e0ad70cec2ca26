// Owns one connection: the sandbox's socket and the proxy's, each end passed on by itself, nothing kept beyond what a socket holds.
import type { Socket } from 'node:net';
import type { Bounds } from './bounds.ts';
import { writeCopy } from './chunks.ts';

export interface ConnectionRequest {
  readonly client: Socket;
  readonly upstream: Socket;
  readonly bounds: Bounds;
  /** The run has used up its bytes: all of its connections are the bridge's to end. */
  readonly onSpent: () => void;
  readonly onClose: () => void;
}

/** How often a connection that waits for the minute to pass looks again, ms. */
const retryMs = 250;

export class Connection {
  /** Of the monotonic clock, ms. */
  lastActive = performance.now();
  private readonly request: ConnectionRequest;
  private closed = false;
  private waiting: NodeJS.Timeout | undefined;

  constructor(request: ConnectionRequest) {
    this.request = request;
    const { client, upstream } = request;
    client.on('data', (chunk: Buffer) => {
      if (!upstream.write(chunk)) client.pause();
      this.count('out', chunk.length);
    });
    this.join(client, upstream);
    this.join(upstream, client);
    for (const socket of [client, upstream]) {
      // Either has failed: what the other has got so far is not the whole, and must not look like it.
      socket.on('error', () => this.reset());
      socket.on('close', () => {
        if (client.destroyed && upstream.destroyed) this.close();
        else if (socket.errored !== null || !socket.readableEnded) this.reset();
      });
    }
  }

  /** Passes on what the guest sent before there was a connection. */
  begin(bytes: Buffer, ended: boolean): void {
    const { client, upstream, bounds, onSpent } = this.request;
    bounds.count('out', bytes.length, this.lastActive);
    if (upstream.write(bytes)) client.resume();
    if (ended) upstream.end();
    if (bounds.isSpent()) onSpent();
  }

  /** Passes on what the proxy sent, which stands in a buffer of everybody's. False: no more for now. */
  receive(bytes: Uint8Array): boolean {
    const { client } = this.request;
    const takesMore = writeCopy(bytes, (copy, done) => client.write(copy, done));
    this.count('in', bytes.length);
    return takesMore && this.waiting === undefined;
  }

  private count(direction: 'out' | 'in', bytes: number): void {
    const { bounds, onSpent } = this.request;
    this.lastActive = performance.now();
    bounds.count(direction, bytes, this.lastActive);
    if (bounds.isSpent()) onSpent();
    else if (bounds.mustWait(this.lastActive)) this.wait();
  }

  private join(from: Socket, to: Socket): void {
    to.on('drain', () => {
      this.lastActive = performance.now();
      if (this.waiting === undefined) from.resume();
    });
    from.on('end', () => to.end());
  }

  /** Reads neither side until the minute has room again. */
  private wait(): void {
    const { client, upstream, bounds } = this.request;
    if (this.waiting !== undefined) return;
    client.pause();
    upstream.pause();
    this.waiting = setInterval(() => {
      this.lastActive = performance.now();
      if (bounds.mustWait(this.lastActive)) return;
      clearInterval(this.waiting);
      this.waiting = undefined;
      if (!upstream.writableNeedDrain) client.resume();
      if (!client.writableNeedDrain) upstream.resume();
    }, retryMs).unref();
  }

  /** Ends both sides at once; what was under way is lost. */
  reset(): void {
    const { client, upstream } = this.request;
    client.destroy();
    upstream.resetAndDestroy();
    this.close();
  }

  private close(): void {
    if (this.closed) return;
    this.closed = true;
    clearInterval(this.waiting);
    this.request.onClose();
  }
}
