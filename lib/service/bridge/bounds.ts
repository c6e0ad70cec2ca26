// Owns what one run has used of its limits: connections at once, and connections and bytes of the run and of any minute.
import type { Limits } from '../../policy/limits.ts';

const slots = 61;

/** A count over the last minute, by the monotonic clock, to the second: never less than what any 60 seconds held. */
class MinuteCount {
  private readonly counts = new Float64Array(slots);
  private last = 0;
  private total = 0;

  private forget(second: number): void {
    const steps = Math.min(second - this.last, slots);
    for (let step = 1; step <= steps; step++) {
      const at = (this.last + step) % slots;
      this.total -= this.counts[at] ?? 0;
      this.counts[at] = 0;
    }
    this.last = Math.max(this.last, second);
  }

  add(amount: number, nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    this.forget(second);
    this.counts[this.last % slots] = (this.counts[this.last % slots] ?? 0) + amount;
    this.total += amount;
  }

  sum(nowMs: number): number {
    this.forget(Math.floor(nowMs / 1000));
    return this.total;
  }
}

/** Why a run may not go on as it does. `minute`: only for the time being. */
export type Excess = 'at once' | 'run' | 'minute';

export interface Used {
  readonly connections: number;
  readonly requests: number;
  readonly bytesOut: number;
  readonly bytesIn: number;
}

export class Bounds {
  limits: Limits;
  private open = 0;
  private connections = 0;
  private requests = 0;
  private bytesOut = 0;
  private bytesIn = 0;
  private readonly minute = { connections: new MinuteCount(), requests: new MinuteCount(), bytes: new MinuteCount() };

  /** `before`: what an earlier bridge counted of the run. Of its last minute nobody knows. */
  constructor(limits: Limits, before: Used = { connections: 0, requests: 0, bytesOut: 0, bytesIn: 0 }) {
    this.limits = limits;
    this.connections = before.connections;
    this.requests = before.requests;
    this.bytesOut = before.bytesOut;
    this.bytesIn = before.bytesIn;
  }

  used(): Used {
    const { connections, requests, bytesOut, bytesIn } = this;
    return { connections, requests, bytesOut, bytesIn };
  }

  /** Counts a new connection, unless one of the bounds is reached: then why. `nowMs` of the monotonic clock. */
  connect(nowMs: number): Excess | undefined {
    const { atOnce, perRun, perMinute } = this.limits;
    if (this.isSpent()) return 'run';
    if (this.connections >= perRun.connections || this.requests >= perRun.requests) return 'run';
    if (this.minute.connections.sum(nowMs) >= perMinute.connections) return 'minute';
    if (this.minute.requests.sum(nowMs) >= perMinute.requests) return 'minute';
    if (this.open >= atOnce) return 'at once';
    this.open++;
    this.connections++;
    this.minute.connections.add(1, nowMs);
    return undefined;
  }

  disconnect(): void {
    this.open--;
  }

  count(direction: 'out' | 'in', bytes: number, nowMs: number): void {
    if (direction === 'out') this.bytesOut += bytes;
    else this.bytesIn += bytes;
    this.minute.bytes.add(bytes, nowMs);
  }

  /** Requests that the proxy has logged: those within one connection are seen by it alone. */
  countRequests(requests: number, nowMs: number): Excess | undefined {
    this.requests += requests;
    this.minute.requests.add(requests, nowMs);
    if (this.requests > this.limits.perRun.requests) return 'run';
    return this.minute.requests.sum(nowMs) > this.limits.perMinute.requests ? 'minute' : undefined;
  }

  /** Whether the bytes of the run are used up. */
  isSpent(): boolean {
    return this.bytesOut + this.bytesIn >= this.limits.perRun.bytes;
  }

  /** Whether those of this minute are. */
  mustWait(nowMs: number): boolean {
    return this.minute.bytes.sum(nowMs) >= this.limits.perMinute.bytes;
  }
}
