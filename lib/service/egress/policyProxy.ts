// Owns that one proxy enforces the policy as it stands: changes are followed, and what fails closes the way of every caller.
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import type { FirewallStatus } from '../../firewall/status.ts';
import type { PolicySource } from '../../policy/load.ts';
import { chooseParent, type ParentProxy } from '../../policy/parentProxy.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Bridge } from '../bridge/bridge.ts';
import type { AccessEntry } from '../squid/accessLog.ts';
import { type Adopted, PolicyWatch } from './policyWatch.ts';
import { type KeptSquid, ProxyKeeper } from './proxyKeeper.ts';

/** Whose runs go through the proxy. */
export interface ProxyUser {
  readonly bridge: Pick<Bridge, 'switchTo' | 'resetRuns'>;
  /** How many runs have a way now. */
  readonly size: number;
  /** Told when another policy is enforced. */
  adopted(policy: Policy): void;
  /** Told when the wall of the host does not stand. */
  unwalled(): void;
}

export interface StartAsked {
  readonly adopted: Adopted;
  /** Its own, to be made. */
  readonly folder: string;
  readonly parent: ParentProxy | undefined;
  readonly onEntry: (entry: AccessEntry) => void;
}

export interface PolicyProxyOptions {
  /** A folder for each Squid is made below. */
  readonly folder: string;
  /** Whose policy holds; asked each time, because the host configuration says it. */
  readonly source: () => PolicySource;
  /** May name a parent proxy. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly users: () => readonly ProxyUser[];
  readonly start: (asked: StartAsked) => Promise<KeptSquid>;
  readonly onEntry: (entry: AccessEntry) => void;
  readonly say: (text: string) => void;
}

/** How soon a changed policy, or the end of a grant, is seen. */
const tickMs = 200;

const wallIsGone = () =>
  new CofferdamError('FIREWALL_DRIFT', 'the host firewall is not as it was applied: nothing leaves a sandbox');

export class PolicyProxy {
  readonly proxy: ProxyKeeper;
  private readonly options: PolicyProxyOptions;
  private readonly watch: PolicyWatch;
  private readonly ticking: NodeJS.Timeout;
  private refreshing: Promise<void> | undefined;
  private wall: FirewallStatus['state'] = 'absent';

  constructor(options: PolicyProxyOptions) {
    const { folder, source, users, say } = options;
    this.options = options;
    this.watch = new PolicyWatch(source);
    this.proxy = new ProxyKeeper({
      bridge: {
        switchTo: (upstream) => {
          for (const { bridge } of users()) bridge.switchTo(upstream);
        },
        resetRuns: (concerns) => {
          for (const { bridge } of users()) bridge.resetRuns(concerns);
        },
      },
      folder,
      start: (adopted, own) => this.start(adopted, own),
      isNeeded: () => this.isUsed(),
      say,
    });
    this.ticking = setInterval(() => this.tick(), tickMs).unref();
  }

  private async start(adopted: Adopted, folder: string): Promise<KeptSquid> {
    const { env, start, onEntry } = this.options;
    const { effective } = chooseParent(adopted.policy, env);
    if ('fault' in effective) throw new CofferdamError('PROXY_FAILED', `there is no way on: ${effective.fault}`);
    return start({ adopted, folder, parent: effective.parent, onEntry });
  }

  /** What is enforced now. Throws PROXY_FAILED where nothing is. */
  enforced(): Adopted {
    const adopted = this.proxy.current?.adopted;
    if (adopted === undefined) throw new CofferdamError('PROXY_FAILED', this.proxy.problem ?? 'there is no proxy');
    return adopted;
  }

  /** For one who comes when there is a proxy already. */
  introduce({ bridge }: ProxyUser): void {
    bridge.switchTo(this.proxy.upstream);
  }

  private isUsed(): boolean {
    return this.options.users().some(({ size }) => size > 0);
  }

  /** Closes the way of everybody, until a policy is adopted. */
  fail(fault: unknown): void {
    this.options.say(messageOf(fault));
    this.proxy.shut(printable(messageOf(fault), 300));
  }

  private tick(): void {
    if (!this.isUsed() || this.refreshing !== undefined) return;
    let news = true;
    try {
      news = this.watch.hasNews(this.proxy.current?.adopted);
    } catch {
      // What cannot even be looked at is read, and what that throws closes the way.
    }
    if (news) this.refresh().catch(() => undefined);
  }

  /** Settles when the policy as it stands is enforced. Rejects, with the way closed, when it is none or no proxy takes it. */
  refresh(): Promise<void> {
    // Who asks while it is read asks about what may be written meanwhile: the next one is theirs.
    const turn = (this.refreshing ?? Promise.resolve()).catch(() => undefined).then(() => this.readPolicy());
    const ours = turn.finally(() => {
      if (this.refreshing === ours) this.refreshing = undefined;
    });
    this.refreshing = ours;
    return ours;
  }

  /** Without the wall that was applied on this host nothing goes out, and nothing that is open goes on. */
  setWall(state: FirewallStatus['state']): void {
    const before = this.wall;
    this.wall = state;
    if (state === 'drifted') {
      for (const user of this.options.users()) user.unwalled();
      this.fail(wallIsGone());
    }
    if (state !== 'drifted' && before === 'drifted') this.refresh().catch(() => undefined);
  }

  private async readPolicy(): Promise<void> {
    try {
      if (this.wall === 'drifted') throw wallIsGone();
      const { adopted, changed } = this.watch.read();
      if (!changed && this.proxy.current !== undefined) return;
      await this.proxy.adopt(adopted);
      for (const user of this.options.users()) user.adopted(adopted.policy);
    } catch (fault) {
      this.fail(fault);
      throw fault;
    }
  }

  /** Ends every Squid. The bridges have been closed. */
  async close(): Promise<void> {
    clearInterval(this.ticking);
    await this.proxy.stop();
  }
}
