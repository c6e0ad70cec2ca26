// Owns the ways out of one caller's runs: they come and go, each with its socket, its counts and its held requests.
import { CofferdamError } from '../../base/errors.ts';
import { readClock } from '../../policy/clock.ts';
import { appliesTo } from '../../policy/decide.ts';
import { decideLimits, type Limits } from '../../policy/limits.ts';
import type { PolicySource } from '../../policy/load.ts';
import { readNarrowing } from '../../policy/narrowing.ts';
import { type Approvals, leastApprovals, type Policy } from '../../policy/policy.ts';
import { type Bridge, type BridgedRun, type BridgeOptions, startBridge } from '../bridge/bridge.ts';
import type { AskAbout, Target } from '../bridge/hold.ts';
import { type Gate, openGate } from '../requests/gate.ts';
import { type Answer, openRequestStore, type RequestStore } from '../requests/store.ts';
import { type AccessEntry, outsideEntry } from '../squid/accessLog.ts';
import { grantAsked } from './autoGrant.ts';
import { accessLog, type EgressFolders } from './folders.ts';
import { Ledger } from './ledger.ts';
import type { PolicyProxy, ProxyUser } from './policyProxy.ts';
import type { EgressStatus, EgressSummary } from './protocol.ts';

export interface WayOptions {
  readonly proxy: PolicyProxy;
  readonly bridge: BridgeOptions;
  readonly logs: Pick<EgressFolders, 'logs' | 'logMode'>;
  /** Whose policy holds; asked each time, because the host configuration says it. */
  readonly source: () => PolicySource;
  /** Most that the host's administrator permits to happen to held requests. */
  readonly ceiling: () => Approvals;
}

/** A way that a run asks for. */
export interface AskedWay extends Pick<BridgedRun, 'run' | 'tool' | 'profile' | 'stays' | 'before'> {
  /** `network.onDeny: ask`. */
  readonly asks: boolean;
  /** `network.allow` of the profile. */
  readonly allow: readonly string[] | undefined;
}

/** Between the end of a run's connections and what the proxy logs of them. */
const logged = { quietMs: 40, mostMs: 500 } as const;

function limitsOf(policy: Policy, { tool, profile }: Pick<BridgedRun, 'tool' | 'profile'>): Limits {
  return decideLimits(policy, (scope) => appliesTo(scope, { tool, profile }));
}

export class WayKeeper implements ProxyUser {
  readonly bridge: Bridge;
  private readonly options: WayOptions;
  private readonly ledger: Ledger;
  private readonly store: RequestStore;
  private readonly gate: Gate;
  private readonly runs = new Map<string, BridgedRun>();
  /** Runs that had their way while the wall did not stand. */
  private readonly fallen = new Set<string>();

  constructor(options: WayOptions) {
    const { proxy, bridge, logs, source } = options;
    this.options = options;
    this.bridge = startBridge(bridge);
    const { logs: folder, logMode: mode } = logs;
    const store = openRequestStore({ folder, mode, now: Date.now });
    this.store = store;
    this.gate = openGate({
      store,
      folder,
      policy: () => proxy.enforced().policy,
      clock: readClock,
      approvals: () => leastApprovals(proxy.enforced().policy.approvals, options.ceiling()),
      grant: (id, asked) => grantAsked(source(), store, id, asked),
    });
    this.ledger = new Ledger({
      log: accessLog(logs),
      store,
      adopted: () => proxy.proxy.current?.adopted,
      onRequest: (run) => this.bridge.countRequests(run, 1),
      onFault: (fault) => proxy.fail(fault),
    });
  }

  get size(): number {
    return this.runs.size;
  }

  adopted(policy: Policy): void {
    this.bridge.setLimits((run) => limitsOf(policy, run));
    this.gate.policyChanged();
  }

  unwalled(): void {
    for (const run of this.runs.keys()) this.fallen.add(run);
  }

  /** What the proxy logged of one of these runs. */
  add(entry: AccessEntry): void {
    this.ledger.add(entry);
  }

  /** Notes what `by` answered to a refused request. Throws REQUEST_UNKNOWN for a no to one of no run that has its way still. */
  answer(id: string, by: string, { answer, until }: Pick<Answer, 'answer' | 'until'>): void {
    if (answer === 'approved') this.store.answer(id, { answer, by, until });
    else if (!this.store.reject(id, by)) throw new CofferdamError('REQUEST_UNKNOWN', `${id}: its run has ended`);
  }

  /** Settles when the policy as it stands is enforced. Rejects, with the way closed, when it cannot be. */
  refresh(): Promise<void> {
    return this.options.proxy.refresh();
  }

  /**
   * Opens the way of a run; `known` is the folder of one that is opened again. Throws VALUE_INVALID for what is no host in `allow`, what
   * the policy or the proxy stops it with, and ID_IN_USE.
   */
  async open(
    { asks, allow, ...asked }: AskedWay,
    known?: string,
  ): Promise<{ readonly folder: string; readonly policy: string }> {
    await this.refresh();
    const adopted = this.options.proxy.enforced();
    const { run: id, tool, profile } = asked;
    const ask: AskAbout = (target, signal) => this.gate.ask({ run: id, tool, profile, ...target, signal });
    const nameRequest = (target: Target | undefined) =>
      this.store.nameOf({ run: id, tool, profile, host: target?.host ?? '', port: target?.port ?? 0 });
    const read = readNarrowing(allow);
    if (read.fault !== undefined) throw new CofferdamError('VALUE_INVALID', read.fault);
    const onOutside = (target: Target | undefined, request: string) => this.add(outsideEntry(asked, target, request));
    const limits = limitsOf(adopted.policy, asked);
    const run = { ...asked, limits, within: read.narrowing, nameRequest, onOutside, ...(asks ? { ask } : {}) };
    const { folder } = await this.bridge.addRun(run, known);
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
    const wallDrifted = this.fallen.delete(run);
    return { allowed, denied, connections, refused, bytesOut, bytesIn, wallDrifted };
  }

  status(): Omit<EgressStatus, 'pid'> {
    const { current, problem } = this.options.proxy.proxy;
    return {
      runs: [...this.runs.values()].map(({ run, tool, profile }) => {
        const { bytesOut = 0, bytesIn = 0 } = this.bridge.usedBy(run) ?? {};
        return { id: run, tool: tool ?? null, profile, ...this.ledger.countsOf(run), bytesOut, bytesIn };
      }),
      proxy:
        current === undefined ? null : { pid: current.squid.pid, port: current.squid.port, generation: current.number },
      problem,
      policy: current?.adopted.digest ?? null,
    };
  }

  /** Nobody is let out any more. What is logged afterwards is written by flush(). */
  close(): void {
    this.gate.close();
    this.bridge.close();
  }

  flush(): void {
    this.ledger.flush();
  }
}
