// Owns that there is one Squid that enforces the policy as it is now, or none and nothing leaves: start, switch, restart, end.
import { join } from 'node:path';
import { messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import { isTightened } from '../../policy/tightened.ts';
import type { Bridge, Upstream } from '../bridge/bridge.ts';
import type { RunningSquid } from '../squid/generation.ts';
import type { Adopted } from './policyWatch.ts';

/** A Squid of this process, or of another that runs them for it. */
export type KeptSquid = Omit<RunningSquid, 'connections'>;

export interface KeeperOptions {
  readonly bridge: Pick<Bridge, 'switchTo' | 'resetRuns'>;
  /** A folder for each Squid is made below. */
  readonly folder: string;
  readonly start: (adopted: Adopted, folder: string) => Promise<KeptSquid>;
  /** Whether anybody needs it now: one that died is started again only then. */
  readonly isNeeded: () => boolean;
  readonly say: (text: string) => void;
}

interface Generation {
  readonly number: number;
  readonly squid: KeptSquid;
  readonly adopted: Adopted;
}

/** How long connections of before go on after a change that takes nothing away from them. */
const drainMs = 60_000;
/** The wait before a Squid that died is started again: each time the next, the last for good; ms. */
const restartMs = [0, 250, 1000, 5000, 30_000] as const;
/** After so long a life a death counts as the first again. */
const soundMs = 60_000;

export class ProxyKeeper {
  private readonly options: KeeperOptions;
  private generation: Generation | undefined;
  private made = 0;
  private deaths = 0;
  private closed = false;
  private queue: Promise<unknown> = Promise.resolve();
  private restarting: NodeJS.Timeout | undefined;
  private readonly ending = new Set<KeptSquid>();
  /** Why there is none. */
  problem: string | null = 'the proxy has not been started';

  constructor(options: KeeperOptions) {
    this.options = options;
  }

  get current(): Generation | undefined {
    return this.generation;
  }

  /** Where it listens; undefined while there is none. */
  get upstream(): Upstream | undefined {
    const squid = this.generation?.squid;
    return squid === undefined ? undefined : { address: '127.0.0.1', port: squid.port, numbers: squid.numbers };
  }

  /** Settles when `adopted` is enforced. Rejects when it cannot be, and then nothing leaves. One after the other. */
  adopt(adopted: Adopted): Promise<void> {
    const turn = this.queue.then(() => this.replace(adopted));
    this.queue = turn.catch(() => undefined);
    return turn;
  }

  private async replace(adopted: Adopted): Promise<void> {
    if (this.closed) return;
    const before = this.generation;
    const number = ++this.made;
    const { start, folder, bridge } = this.options;
    let squid: KeptSquid;
    try {
      squid = await start(adopted, join(folder, String(number)));
    } catch (cause) {
      this.shut(messageOf(cause));
      this.tryAgain(adopted);
      throw cause;
    }
    if (this.closed) {
      await squid.stop({ drainMs: 0 });
      return;
    }
    const born = performance.now();
    this.generation = { number, squid, adopted };
    this.problem = null;
    clearTimeout(this.restarting);
    void squid.exited.then(({ text }) => this.died(number, performance.now() - born, text));
    // New connections go to the new one before any of the old is cut: none that is made in between escapes the new rules.
    bridge.switchTo(this.upstream);
    if (before === undefined) return;
    bridge.resetRuns(({ tool, profile }) => isTightened(before.adopted, adopted, { tool, profile }));
    this.end(before.squid, drainMs);
  }

  private end(squid: KeptSquid, drain: number): void {
    this.ending.add(squid);
    void squid.stop({ drainMs: drain }).finally(() => this.ending.delete(squid));
  }

  private died(number: number, livedMs: number, text: string): void {
    if (this.closed || this.generation?.number !== number) return;
    const { adopted } = this.generation;
    this.options.say(`the proxy ended: ${printable(text, 300)}`);
    this.close('the proxy ended');
    if (livedMs > soundMs) this.deaths = 0;
    this.tryAgain(adopted);
  }

  private tryAgain(adopted: Adopted): void {
    const wait = restartMs[Math.min(this.deaths++, restartMs.length - 1)];
    clearTimeout(this.restarting);
    this.restarting = setTimeout(() => {
      // A policy that was adopted meanwhile has its own.
      if (this.generation !== undefined || !this.options.isNeeded()) return;
      this.adopt(adopted).catch((cause: unknown) => this.options.say(messageOf(cause)));
    }, wait).unref();
  }

  /** From here on nothing leaves, and nothing that was open goes on, until a policy is adopted. */
  shut(problem: string): void {
    clearTimeout(this.restarting);
    const before = this.generation;
    this.close(problem);
    if (before !== undefined) this.end(before.squid, 0);
  }

  private close(problem: string): void {
    this.generation = undefined;
    this.problem = problem;
    this.options.bridge.switchTo(undefined);
    this.options.bridge.resetRuns(() => true);
  }

  /** Ends every Squid. */
  async stop(): Promise<void> {
    this.closed = true;
    this.shut('the way out is being closed');
    await this.queue;
    await Promise.all([...this.ending].map((squid) => squid.stop({ drainMs: 0 })));
  }
}
