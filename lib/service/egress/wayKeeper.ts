// Owns the way out as a whole: runs come and go, the policy changes, the proxy follows; what fails closes it.
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { printable } from '../../base/printable.ts';
import type { FirewallStatus } from '../../firewall/status.ts';
import { readClock } from '../../policy/clock.ts';
import { appliesTo } from '../../policy/decide.ts';
import { decideLimits, type Limits } from '../../policy/limits.ts';
import type { PolicySource } from '../../policy/load.ts';
import { chooseParent } from '../../policy/parentProxy.ts';
import { type Approvals, leastApprovals, type Policy } from '../../policy/policy.ts';
import { type Bridge, type BridgedRun, startBridge } from '../bridge/bridge.ts';
import type { AskAbout } from '../bridge/hold.ts';
import { type Gate, openGate } from '../requests/gate.ts';
import { openRequestStore } from '../requests/store.ts';
import { findSquid } from '../squid/binary.ts';
import { type RunningSquid, type SquidOptions, startSquid } from '../squid/generation.ts';
import { grantAsked } from './autoGrant.ts';
import { accessLog, type EgressFolders } from './folders.ts';
import { Ledger } from './ledger.ts';
import { PolicyWatch } from './policyWatch.ts';
import type { EgressStatus, EgressSummary } from './protocol.ts';
import { ProxyKeeper } from './proxyKeeper.ts';

export interface WayOptions {
  readonly folders: EgressFolders;
  readonly uid: number;
  /** Whose policy holds; asked each time, because the host configuration says it. */
  readonly source: () => PolicySource;
  /** May name a parent proxy. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Most that the host's administrator permits to happen to held requests. */
  readonly ceiling: () => Approvals;
  /** All of a Squid but what the policy and the generation say. */
  readonly squid: Omit<
    SquidOptions,
    'binary' | 'policy' | 'clock' | 'folder' | 'onEntry' | 'dnsServers' | 'parent' | 'sni'
  >;
  readonly say: (text: string) => void;
}

/** A way that a run asks for. */
export interface AskedWay extends Pick<BridgedRun, 'run' | 'tool' | 'profile'> {
  /** `network.onDeny: ask`. */
  readonly asks: boolean;
}

/** How soon a changed policy, or the end of a grant, is seen. */
const tickMs = 200;
/** Between the end of a run's connections and what the proxy logs of them. */
const logged = { quietMs: 40, mostMs: 500 } as const;

function limitsOf(policy: Policy, { tool, profile }: Pick<BridgedRun, 'tool' | 'profile'>): Limits {
  return decideLimits(policy, (scope) => appliesTo(scope, { tool, profile }));
}

const wallIsGone = () =>
  new CofferdamError('FIREWALL_DRIFT', 'the host firewall is not as it was applied: nothing leaves a sandbox');

export class WayKeeper {
  private readonly options: WayOptions;
  private readonly bridge: Bridge;
  private readonly ledger: Ledger;
  private readonly gate: Gate;
  private readonly watch: PolicyWatch;
  private readonly proxy: ProxyKeeper;
  private readonly runs = new Map<string, BridgedRun>();
  /** Runs that had their way while the wall did not stand. */
  private readonly unwalled = new Set<string>();
  private readonly ticking: NodeJS.Timeout;
  private refreshing: Promise<void> | undefined;
  private wall: FirewallStatus['state'] = 'absent';

  constructor(options: WayOptions) {
    const { folders, uid, source, say } = options;
    this.options = options;
    this.bridge = startBridge({ folder: folders.runs, passed: uid === 0 });
    this.watch = new PolicyWatch(source);
    this.proxy = new ProxyKeeper({
      bridge: this.bridge,
      folder: folders.squid,
      start: (asked) => this.startSquid(asked),
      isNeeded: () => this.runs.size > 0,
      say,
    });
    const store = openRequestStore({ folder: folders.logs, now: Date.now });
    this.gate = openGate({
      store,
      folder: folders.logs,
      policy: () => this.enforced(),
      clock: readClock,
      approvals: () => leastApprovals(this.enforced().approvals, options.ceiling()),
      grant: (id, asked) => grantAsked(source(), store, id, asked),
    });
    this.ledger = new Ledger({
      log: accessLog(folders),
      store,
      adopted: () => this.proxy.current?.adopted,
      onRequest: (run) => this.bridge.countRequests(run, 1),
      onFault: (fault) => this.fail(fault),
    });
    this.ticking = setInterval(() => this.tick(), tickMs).unref();
  }

  private async startSquid(asked: Pick<SquidOptions, 'policy' | 'clock' | 'folder'>): Promise<RunningSquid> {
    const { effective } = chooseParent(asked.policy, this.options.env);
    if ('fault' in effective) throw new CofferdamError('PROXY_FAILED', `there is no way on: ${effective.fault}`);
    return await startSquid({
      ...this.options.squid,
      ...asked,
      binary: findSquid(asked.policy.sni),
      sni: asked.policy.sni,
      dnsServers: asked.policy.dnsServers,
      parent: effective.parent,
      onEntry: (entry) => this.ledger.add(entry),
    });
  }

  private enforced(): Policy {
    const adopted = this.proxy.current?.adopted;
    if (adopted === undefined) throw new CofferdamError('PROXY_FAILED', this.proxy.problem ?? 'there is no proxy');
    return adopted.policy;
  }

  get size(): number {
    return this.runs.size;
  }

  private fail(fault: unknown): void {
    this.options.say(messageOf(fault));
    this.proxy.shut(printable(messageOf(fault), 300));
  }

  private tick(): void {
    if (this.runs.size === 0 || this.refreshing !== undefined) return;
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
      for (const run of this.runs.keys()) this.unwalled.add(run);
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
      this.bridge.setLimits((run) => limitsOf(adopted.policy, run));
      this.gate.policyChanged();
    } catch (fault) {
      this.fail(fault);
      throw fault;
    }
  }

  /** Opens the way of a run. Throws what the policy or the proxy stops it with, and ID_IN_USE. */
  async open({ asks, ...asked }: AskedWay): Promise<{ readonly folder: string; readonly policy: string }> {
    await this.refresh();
    const adopted = this.proxy.current?.adopted;
    if (adopted === undefined) throw new CofferdamError('PROXY_FAILED', this.proxy.problem ?? 'there is no proxy');
    const { run: id, tool, profile } = asked;
    const ask: AskAbout = (target, signal) => this.gate.ask({ run: id, tool, profile, ...target, signal });
    const run = { ...asked, limits: limitsOf(adopted.policy, asked), ...(asks ? { ask } : {}) };
    const { folder } = await this.bridge.addRun(run);
    this.runs.set(run.run, run);
    this.ledger.begin(run.run);
    return { folder, policy: adopted.digest };
  }

  /** Closes it, and says what it was used for. Undefined for a run that is not known. */
  async end(run: string): Promise<EgressSummary | undefined> {
    const used = this.bridge.removeRun(run);
    if (used === undefined) return undefined;
    this.runs.delete(run);
    const wait = used.connections > 0 ? logged : { quietMs: 0, mostMs: 0 };
    const { allowed, denied } = await this.ledger.end(run, wait);
    const { connections, refused, bytesOut, bytesIn } = used;
    const wallDrifted = this.unwalled.delete(run);
    return { allowed, denied, connections, refused, bytesOut, bytesIn, wallDrifted };
  }

  status(): Omit<EgressStatus, 'pid'> {
    const { current, problem } = this.proxy;
    return {
      runs: [...this.runs.values()].map(({ run, tool, profile }) => ({ id: run, tool: tool ?? null, profile })),
      proxy:
        current === undefined ? null : { pid: current.squid.pid, port: current.squid.port, generation: current.number },
      problem,
      policy: current?.adopted.digest ?? null,
    };
  }

  async close(): Promise<void> {
    clearInterval(this.ticking);
    this.gate.close();
    this.bridge.close();
    await this.proxy.stop();
    this.ledger.flush();
  }
}
