// Owns the ways out of sandboxes that live on: each lasts as long as its holder, also when the daemon does not.
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { diskError } from '../../base/files.ts';
import { bootId, startTimeOf } from '../../base/process.ts';
import {
  type Lease,
  listLeases,
  readLease,
  readWayCounts,
  type UsedWay,
  writeLease,
  writeUsedWay,
} from '../../policy/lease.ts';
import { CountKeeper } from './countKeeper.ts';
import { type Holder, makeHold, watchHold } from './holder.ts';
import type { EgressSummary } from './protocol.ts';
import type { AskedWay, WayKeeper } from './wayKeeper.ts';

export interface LeasedWaysOptions {
  /** Of the leases. It exists. */
  readonly folder: string;
  /** Where the folders with the sockets are. */
  readonly runs: string;
  readonly way: WayKeeper;
  /** Where what a run's way was used for is written down. */
  readonly usedFile: (run: string) => string;
  /** Told whenever one has ended. */
  readonly onEnd: () => void;
  readonly say: (text: string) => void;
}

/** What a lease is asked for with. */
export type AskedLease = Pick<Lease, 'run' | 'tool' | 'profile' | 'asks' | 'allow' | 'hostFirewall'>;

interface Held {
  readonly lease: Lease;
  readonly holder: Holder;
  /** Whether a predecessor of ours had it, and took what it counted along. */
  readonly again: boolean;
  ending?: Promise<EgressSummary | undefined>;
}

const interrupted = 'the daemon of the way out ended in between: what was let out stands in egress/access.log';

function ourselves(): Lease['daemon'] {
  return { pid: process.pid, started: startTimeOf(process.pid) ?? '', boot: bootId() };
}

function wayOf({ run, tool, profile, asks, allow }: AskedLease): AskedWay {
  return { run, tool: tool ?? undefined, profile, asks, allow: allow ?? undefined, stays: true };
}

export class LeasedWays {
  private readonly options: LeasedWaysOptions;
  private readonly held = new Map<string, Held>();
  private readonly counts: CountKeeper;

  constructor(options: LeasedWaysOptions) {
    this.options = options;
    const { folder, way, say } = options;
    // One that is being ended has no folder soon.
    const runs = () => [...this.held].filter(([, { ending }]) => ending === undefined).map(([run]) => run);
    this.counts = new CountKeeper({ folder, runs, usedBy: (run) => way.bridge.usedBy(run), say });
  }

  /** Those that are open or being ended. */
  get size(): number {
    return this.held.size;
  }

  private holdOf(run: string): string {
    return join(this.options.folder, run, 'held');
  }

  private forget(run: string): void {
    rmSync(join(this.options.folder, run), { recursive: true, force: true });
    this.held.delete(run);
  }

  private watch(lease: Lease, again: boolean): void {
    const { run } = lease;
    const holder = watchHold(this.holdOf(run), () => void this.end(run).catch(() => undefined));
    this.held.set(run, { lease, holder, again });
  }

  /**
   * Opens a way that lasts while somebody holds the fifo `hold` open for writing. Until somebody does it is the caller's to end. Throws as
   * WayKeeper.open.
   */
  async open(asked: AskedLease): Promise<{ readonly folder: string; readonly policy: string; readonly hold: string }> {
    const { run } = asked;
    const place = join(this.options.folder, run);
    if (this.held.has(run) || existsSync(place))
      throw new CofferdamError('ID_IN_USE', `the run ${run} has a way out already`);
    // One of an earlier run of this id would be taken for this one's.
    rmSync(this.options.usedFile(run), { force: true });
    const opened = await this.options.way.open(wayOf(asked));
    try {
      mkdirSync(place, { mode: 0o700 });
      await makeHold(this.holdOf(run));
      const folder = basename(opened.folder);
      const lease: Lease = { version: 1, ...asked, folder, policy: opened.policy, daemon: ourselves() };
      writeLease(this.options.folder, lease);
      this.watch(lease, false);
      return { ...opened, hold: this.holdOf(run) };
    } catch (cause) {
      await this.options.way.end(run);
      this.forget(run);
      throw cause instanceof CofferdamError ? cause : diskError(cause, `cannot write ${place}`);
    }
  }

  has(run: string): boolean {
    return this.held.has(run);
  }

  isHeld(run: string): boolean {
    return this.held.get(run)?.holder.isHeld() ?? false;
  }

  /** Closes it, and writes down what it was used for; undefined for one that is not known. Twice is once. */
  async end(run: string): Promise<EgressSummary | undefined> {
    const held = this.held.get(run);
    if (held === undefined) return undefined;
    held.ending ??= this.settle(held);
    return held.ending;
  }

  private async settle({ lease, holder, again }: Held): Promise<EgressSummary | undefined> {
    const { run, policy, hostFirewall } = lease;
    holder.close();
    try {
      const used = await this.options.way.end(run);
      if (used === undefined) return undefined;
      const { allowed, denied, bytesOut, bytesIn, wallDrifted } = used;
      const wall = wallDrifted ? 'drifted' : hostFirewall;
      const problem = again ? interrupted : null;
      this.record(run, { allowed, denied, bytesOut, bytesIn, policy, hostFirewall: wall, problem });
      return used;
    } finally {
      // After the record: whoever waits for the one looks for the other.
      this.forget(run);
      this.options.onEnd();
    }
  }

  private record(run: string, used: Omit<UsedWay, 'version' | 'run'>): void {
    try {
      writeUsedWay(this.options.usedFile(run), { version: 1, run, ...used });
    } catch (error) {
      this.options.say(`what ${run} was let out is not recorded: ${messageOf(error)}`);
    }
  }

  /** Opens those again that a predecessor left and somebody holds still, in their folders; ends the others. */
  async restore(): Promise<void> {
    for (const run of listLeases(this.options.folder)) {
      const lease = this.readWhole(run);
      if (lease === undefined) this.forget(run);
      else if (this.isAbandoned(run)) this.bury(lease);
      else await this.openAgain(lease);
    }
  }

  private readWhole(run: string): Lease | undefined {
    try {
      return readLease(this.options.folder, run);
    } catch (error) {
      this.options.say(`the way out of ${run} is given up: ${messageOf(error)}`);
      return undefined;
    }
  }

  private isAbandoned(run: string): boolean {
    try {
      const holder = watchHold(this.holdOf(run), () => undefined);
      const held = holder.isHeld();
      holder.close();
      return !held;
    } catch {
      // Killed before it was made.
      return true;
    }
  }

  private bury({ run, folder, policy, hostFirewall }: Lease): void {
    const nothing = { allowed: 0, denied: 0, bytesOut: 0, bytesIn: 0 };
    this.record(run, { ...nothing, policy, hostFirewall, problem: interrupted });
    rmSync(join(this.options.runs, folder), { recursive: true, force: true });
    this.forget(run);
  }

  private async openAgain(lease: Lease): Promise<void> {
    const { run, folder } = lease;
    const ours = { ...lease, daemon: ourselves() };
    try {
      const before = readWayCounts(this.options.folder, run);
      await this.options.way.open({ ...wayOf(lease), before }, folder);
      writeLease(this.options.folder, ours);
      this.watch(ours, true);
    } catch (error) {
      // The lease stays as it was, for the next daemon; a way that nobody watches does not.
      await this.options.way.end(run);
      this.options.say(`${run} stays without a way out: ${messageOf(error)}`);
      return;
    }
    // It ended before we watched: of that the kernel tells nothing more.
    if (!this.isHeld(run)) await this.end(run);
  }

  /** Stops watching. Leases stay, for the next daemon. */
  close(): void {
    this.counts.close();
    for (const { holder } of this.held.values()) holder.close();
  }
}

/** Names of the folders that leases lead to: mounted in sandboxes, so that a new one in their place would reach nobody. */
export function leasedFolders(folder: string): Set<string> {
  return new Set(
    listLeases(folder).flatMap((run) => {
      try {
        const lease = readLease(folder, run);
        return lease === undefined ? [] : [lease.folder];
      } catch {
        return [];
      }
    }),
  );
}
