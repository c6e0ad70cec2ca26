// Owns what the proxy logged: written down before anything else happens by it, counted by run, denials recorded.

import { idPattern } from '../../base/ids.ts';
import { appendLines, type LineLog } from '../../base/lineLog.ts';
import { recordDenial } from '../requests/recorder.ts';
import type { RequestStore } from '../requests/store.ts';
import type { AccessEntry } from '../squid/accessLog.ts';
import type { Adopted } from './policyWatch.ts';

export interface LedgerOptions {
  readonly log: LineLog;
  readonly store: RequestStore;
  /** What is enforced now, to say why something was denied. */
  readonly adopted: () => Adopted | undefined;
  readonly onRequest: (run: string) => void;
  /** The log cannot be written: an unrecorded way out is none. */
  readonly onFault: (fault: unknown) => void;
}

interface Counts {
  allowed: number;
  denied: number;
  /** Of the monotonic clock, ms. */
  last: number;
}

const flushMs = 50;
const mostWaiting = 256;

// A connection that ended before a request came is logged too, with no status.
function isRequest({ method, host, status }: AccessEntry): boolean {
  return status !== 0 || (method !== '' && host !== '');
}

export class Ledger {
  private readonly options: LedgerOptions;
  private readonly runs = new Map<string, Counts>();
  private waiting: string[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(options: LedgerOptions) {
    this.options = options;
  }

  begin(run: string): void {
    this.runs.set(run, { allowed: 0, denied: 0, last: 0 });
  }

  /** So far. */
  countsOf(run: string): Pick<Counts, 'allowed' | 'denied'> {
    const { allowed, denied } = this.runs.get(run) ?? { allowed: 0, denied: 0 };
    return { allowed, denied };
  }

  add(entry: AccessEntry): void {
    if (!isRequest(entry)) return;
    this.waiting.push(JSON.stringify(entry));
    if (this.waiting.length >= mostWaiting) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), flushMs).unref();
    const { run, result } = entry;
    if (run === null || !idPattern.test(run)) return;
    const counts = this.runs.get(run);
    if (counts !== undefined) {
      if (result === 'allow') counts.allowed++;
      else counts.denied++;
      counts.last = performance.now();
    }
    this.options.onRequest(run);
    this.attempt(() => {
      const adopted = this.options.adopted();
      if (adopted !== undefined) recordDenial(this.options.store, { ...entry, run }, adopted.policy, adopted.clock);
      // Logged after its run was over: nobody else will have it forgotten.
      if (counts === undefined) this.options.store.endRun(run);
    });
  }

  /** Writes what waits. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const lines = this.waiting;
    this.waiting = [];
    if (lines.length > 0) this.attempt(() => appendLines(this.options.log, lines, true));
  }

  /** What a run came to, and forgets it. Waits until the proxy has said nothing about it for `quietMs`, at most `mostMs`. */
  async end(run: string, { quietMs, mostMs }: { readonly quietMs: number; readonly mostMs: number }): Promise<Counts> {
    const counts = this.runs.get(run) ?? { allowed: 0, denied: 0, last: 0 };
    const began = performance.now();
    const isQuiet = (now: number) => now - Math.max(began, counts.last) >= quietMs;
    for (let now = began; !isQuiet(now) && now - began < mostMs; now = performance.now())
      await new Promise((done) => setTimeout(done, 5));
    this.runs.delete(run);
    this.flush();
    this.attempt(() => this.options.store.endRun(run));
    return counts;
  }

  private attempt(write: () => void): void {
    try {
      write();
    } catch (fault) {
      this.options.onFault(fault);
    }
  }
}
