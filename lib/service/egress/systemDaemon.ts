// Owns the way out of a worker host: one daemon and one proxy for all callers, each met where nobody else gets to.
import { readdirSync } from 'node:fs';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { policySourceOf } from '../../firewall/policySource.ts';
import { followWall } from '../../firewall/wall.ts';
import { readClock } from '../../policy/clock.ts';
import { loadHostConfig } from '../../profile/hostConfig.ts';
import type { AccessEntry } from '../squid/accessLog.ts';
import { startHostedSquid } from '../squid/hosted.ts';
import { type CallerFolder, openCallerFolder } from './caller.ts';
import { type Answered, ControlServer } from './controlServer.ts';
import { wallPlaces } from './folders.ts';
import { PolicyProxy } from './policyProxy.ts';
import { callerPlaces } from './systemPlaces.ts';
import { WayKeeper } from './wayKeeper.ts';

export interface SystemDaemonOptions {
  /** Root's: the policy is the host's. */
  readonly paths: Paths;
  /** Who we are. */
  readonly uid: number;
  /** May name a parent proxy. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Holds a folder for each caller, named by uid. */
  readonly callers: string;
  readonly logs: string;
  /** Socket of who runs Squid. */
  readonly proxySocket: string;
  readonly say: (text: string) => void;
}

export interface SystemDaemon {
  /** Meets callers who were prepared since. One who cannot be met is told of, and has no way out. */
  meet(): Promise<void>;
  close(): Promise<void>;
}

interface Met {
  readonly way: WayKeeper;
  readonly folder: CallerFolder;
}

/** Two callers may give their runs the same id; neither may write a dot into one. */
const prefixOf = (uid: number) => `u${uid}.`;

class SystemService implements SystemDaemon {
  private readonly options: SystemDaemonOptions;
  private readonly met = new Map<number, Met>();
  private readonly control = new ControlServer(() => undefined);
  private readonly following = new AbortController();
  readonly proxy: PolicyProxy;

  constructor(options: SystemDaemonOptions) {
    const { env, proxySocket: socket, say } = options;
    this.options = options;
    this.proxy = new PolicyProxy({
      folder: '/',
      source: () => this.source(),
      env,
      users: () => [...this.met.values()].map(({ way }) => way),
      start: ({ adopted, parent, onEntry }) => startHostedSquid({ ...adopted, socket, parent, onEntry }),
      onEntry: (entry) => this.add(entry),
      say,
    });
  }

  private source() {
    return policySourceOf(this.options.paths, 0);
  }

  private add(entry: AccessEntry): void {
    const [, uid, run] = /^u([0-9]{1,10})\.(.+)$/.exec(entry.run ?? '') ?? [];
    if (uid !== undefined && run !== undefined) this.met.get(Number(uid))?.way.add({ ...entry, run });
  }

  follow(): void {
    const { paths, uid } = this.options;
    const request = { places: wallPlaces(paths), uid, clock: readClock };
    void followWall(request, this.following.signal, (state) => this.proxy.setWall(state));
  }

  async meet(): Promise<void> {
    for (const name of readdirSync(this.options.callers)) {
      const uid = Number(name);
      if (!/^[0-9]{1,10}$/.test(name) || this.met.has(uid)) continue;
      try {
        await this.meetOne(uid);
      } catch (cause) {
        this.options.say(messageOf(cause));
      }
    }
  }

  private async meetOne(uid: number): Promise<void> {
    const { callers, logs, paths, uid: ours } = this.options;
    const places = callerPlaces(uid, callers, logs);
    const folder = openCallerFolder(places, ours);
    // Past root's gate everybody gets.
    const closed = uid === 0;
    const bridge = { folder: folder.path, shown: places.folder, passed: true, closed, prefix: prefixOf(uid) };
    const ceiling = () => loadHostConfig(paths.hostConfig).approvals;
    const way = new WayKeeper({ proxy: this.proxy, bridge, logs: places, source: () => this.source(), ceiling });
    this.met.set(uid, { way, folder });
    this.proxy.introduce(way);
    try {
      // Everybody's to connect to, who gets there.
      await this.control.listen(`${folder.path}/control.sock`, closed ? 0o600 : 0o666, {
        way,
        leased: undefined,
        answer: (answered) => this.answer(uid, answered),
      });
    } catch (cause) {
      this.met.delete(uid);
      way.close();
      folder.close();
      throw cause;
    }
  }

  // Root changes the policy, and says so to whoever asked; others say no to what is their own.
  private answer(by: number, { caller, id, answer, until }: Answered): void {
    const met = this.met.get(caller);
    if (by !== 0 && (by !== caller || answer !== 'rejected'))
      throw new CofferdamError('HOST_FORBIDS', 'the answer is not theirs to give');
    if (met === undefined) throw new CofferdamError('REQUEST_UNKNOWN', `uid ${caller} has no way out here`);
    met.way.answer(id, `uid ${by}`, { answer, until: until ?? undefined });
  }

  async close(): Promise<void> {
    this.following.abort();
    this.control.close();
    for (const { way } of this.met.values()) way.close();
    await this.proxy.close();
    for (const { way, folder } of this.met.values()) {
      way.flush();
      folder.close();
    }
  }
}

/**
 * Starts it; every prepared caller is answered when this settles. A policy that is missing or cannot be enforced closes the ways
 * and is told to who asks for one: a service that ends would only be started again.
 */
export async function startSystemDaemon(options: SystemDaemonOptions): Promise<SystemDaemon> {
  const service = new SystemService(options);
  await service.meet();
  await service.proxy.refresh().catch(() => undefined);
  service.follow();
  return service;
}
