// Owns writing down what sandboxes that live on have used of their limits, so that the next daemon goes on from there.
import { messageOf } from '../../base/errors.ts';
import { type WayCounts, writeWayCounts } from '../../policy/lease.ts';
import type { Used } from '../bridge/bounds.ts';

export interface CountKeeperOptions {
  /** Of the leases. */
  readonly folder: string;
  /** Runs whose way is open. */
  readonly runs: () => Iterable<string>;
  readonly usedBy: (run: string) => Used | undefined;
  readonly say: (text: string) => void;
}

/** So much of the limits a daemon's sudden end gives back at the most, ms. */
const keepMs = 1000;

/** Whoever makes a daemon end must not gain by it: the limits of a run are those of all daemons together. */
export class CountKeeper {
  private readonly options: CountKeeperOptions;
  private readonly timer: NodeJS.Timeout;
  /** As they were written last. */
  private kept = new Map<string, string>();

  constructor(options: CountKeeperOptions) {
    this.options = options;
    this.timer = setInterval(() => this.keep(), keepMs).unref();
  }

  private keep(): void {
    const { folder, runs, usedBy, say } = this.options;
    const before = this.kept;
    this.kept = new Map();
    for (const run of runs()) {
      const used = usedBy(run);
      if (used === undefined) continue;
      const { connections, requests, bytesOut, bytesIn } = used;
      const counts: WayCounts = { version: 1, run, connections, requests, bytesOut, bytesIn };
      const text = JSON.stringify(counts);
      try {
        if (before.get(run) !== text) writeWayCounts(folder, counts);
        this.kept.set(run, text);
      } catch (error) {
        say(`what ${run} has used of its limits is not kept: ${messageOf(error)}`);
      }
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.keep();
  }
}
