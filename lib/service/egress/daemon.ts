// Owns the daemon of the way out of one uid: reached by its control socket, gone by itself when nobody has used it for a while.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { takeFileLock } from '../../base/lock.ts';
import type { Paths } from '../../base/paths.ts';
import { policySourceOf } from '../../firewall/policySource.ts';
import { followWall, requireWall } from '../../firewall/wall.ts';
import { readClock } from '../../policy/clock.ts';
import { listLeases, usedWayFile } from '../../policy/lease.ts';
import { loadHostConfig } from '../../profile/hostConfig.ts';
import { findSquid } from '../squid/binary.ts';
import { startSquid } from '../squid/generation.ts';
import { ControlServer } from './controlServer.ts';
import { egressFolders, ensureEgressFolders, wallPlaces } from './folders.ts';
import { LeasedWays, leasedFolders } from './leasedWays.ts';
import { PolicyProxy, type StartAsked } from './policyProxy.ts';
import { squidIdentity } from './squidIdentity.ts';
import { WayKeeper } from './wayKeeper.ts';

export interface DaemonOptions {
  readonly paths: Paths;
  readonly uid: number;
  /** May name a parent proxy. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** ms without a run after which it ends; 0: never. */
  readonly idleMs: number;
  readonly say: (text: string) => void;
}

export interface Daemon {
  /** Settles when it has ended: by itself, or by close(). */
  readonly ended: Promise<void>;
  close(): void;
}

/** What of a killed one is left: sockets without a listener, folders of a dead Squid. Only while the lock is ours. */
function sweep(folder: string, kept: ReadonlySet<string> = new Set()): void {
  for (const name of readdirSync(folder))
    if (!kept.has(name)) rmSync(join(folder, name), { recursive: true, force: true });
}

class Service implements Daemon {
  readonly ended: Promise<void>;
  private readonly control: ControlServer;
  private readonly options: DaemonOptions;
  private readonly proxy: PolicyProxy;
  private readonly way: WayKeeper;
  private readonly leased: LeasedWays;
  private readonly following = new AbortController();
  private idle: NodeJS.Timeout | undefined;
  private finish: () => void = () => undefined;
  private closing = false;

  constructor(options: DaemonOptions, proxy: PolicyProxy, way: WayKeeper) {
    const { paths, say } = options;
    const { leases: folder, runs } = egressFolders(paths);
    this.options = options;
    this.proxy = proxy;
    this.way = way;
    this.control = new ControlServer(() => this.rest());
    this.leased = new LeasedWays({
      folder,
      runs,
      way,
      usedFile: (run) => usedWayFile(paths, run),
      onEnd: () => this.rest(),
      say,
    });
    this.ended = new Promise((done) => {
      this.finish = done;
    });
  }

  /** From here on it answers at `control`. Throws what stops the policy from being enforced. */
  async begin(control: string): Promise<void> {
    await this.way.refresh();
    await this.restore();
    await this.control.listen(control, 0o600, { way: this.way, leased: this.leased });
    this.rest();
    void followWall(this.wall(), this.following.signal, (state) => this.proxy.setWall(state));
  }

  private wall(): Parameters<typeof requireWall>[0] {
    const { paths, uid } = this.options;
    return { places: wallPlaces(paths), uid, clock: readClock };
  }

  // Whoever asks for a way has looked at the wall; those that are opened again nobody has.
  private async restore(): Promise<void> {
    if (listLeases(egressFolders(this.options.paths).leases).length === 0) return;
    await requireWall(this.wall());
    await this.leased.restore();
  }

  // Again from the start whenever somebody comes or goes.
  private rest(): void {
    const { idleMs } = this.options;
    clearTimeout(this.idle);
    if (idleMs === 0 || this.control.size > 0 || this.leased.size > 0) return;
    this.idle = setTimeout(() => this.close(), idleMs);
  }

  async end(): Promise<void> {
    this.leased.close();
    this.way.close();
    await this.proxy.close();
    this.way.flush();
  }

  close(): void {
    if (this.closing) return;
    this.closing = true;
    clearTimeout(this.idle);
    this.following.abort();
    this.control.close();
    void this.end().finally(() => this.finish());
  }
}

function makeService(options: DaemonOptions): Service {
  const { paths, uid, env, say } = options;
  const folders = ensureEgressFolders(paths, uid);
  sweep(folders.squid);
  sweep(folders.runs, leasedFolders(folders.leases));
  const source = () => policySourceOf(paths, uid);
  const identity = squidIdentity(uid);
  const start = ({ adopted: { policy, clock }, folder, parent, onEntry }: StartAsked) => {
    const { sni, dnsServers } = policy;
    return startSquid({ policy, clock, folder, parent, onEntry, sni, dnsServers, identity, binary: findSquid(sni) });
  };
  const ways: WayKeeper[] = [];
  const onEntry: StartAsked['onEntry'] = (entry) => ways[0]?.add(entry);
  const proxy = new PolicyProxy({ folder: folders.squid, source, env, users: () => ways, start, onEntry, say });
  const ceiling = () => loadHostConfig(paths.hostConfig).approvals;
  const bridge = { folder: folders.runs, passed: uid === 0, closed: uid === 0 };
  const way = new WayKeeper({ proxy, bridge, logs: folders, source, ceiling });
  ways.push(way);
  return new Service(options, proxy, way);
}

/**
 * Starts the daemon; it answers when this settles, and a proxy enforces the policy. Throws what stops it: POLICY_MISSING, CONFIG_INVALID,
 * PROXY_MISSING, PROXY_FAILED; ID_IN_USE when there is one already.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const folders = ensureEgressFolders(options.paths, options.uid);
  const lock = await takeFileLock(folders.lock, 10_000).catch((cause: unknown) => {
    throw new CofferdamError('ID_IN_USE', 'the way out of this user has a daemon already', { cause });
  });
  try {
    const service = makeService(options);
    try {
      await service.begin(folders.control);
    } catch (cause) {
      await service.end();
      throw cause;
    }
    return { close: () => service.close(), ended: service.ended.finally(() => lock.release()) };
  } catch (cause) {
    lock.release();
    throw cause;
  }
}
