// Owns the bridge: a unix socket for each run, whose connections it takes to the proxy under that run's name.
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import type { Limits } from '../../policy/limits.ts';
import type { Narrowing } from '../../policy/narrowing.ts';
import type { Used } from './bounds.ts';
import type { Numbers, RunIdentity } from './header.ts';
import type { AskAbout, Target } from './hold.ts';
import { RunDoor } from './runDoor.ts';

export interface BridgeOptions {
  /** Where the runs' folders go. It exists, and only its owner reaches it. */
  readonly folder: string;
  /** The same folder as those who are given one of them know it. Default: `folder`. */
  readonly shown?: string | undefined;
  /** Before each run's id on the way to the proxy, where the runs of several callers meet. Default: nothing. */
  readonly prefix?: string | undefined;
  /** Root's sandboxes pass it as another uid on the way to their mount. */
  readonly passed: boolean;
  /** Others pass it, too: a run's socket is nobody's until its supervisor names those who connect to it (lib/run/native/way.c). */
  readonly closed?: boolean;
  /** Runs at the same time. Default: 2,048. */
  readonly mostRuns?: number;
}

export interface BridgedRun {
  readonly run: string;
  readonly tool: string | undefined;
  readonly profile: string;
  readonly limits: Limits;
  /** The id of a request, which the proxy prints where it refuses it; undefined: of what could not be read. */
  readonly nameRequest: (target: Target | undefined) => string;
  /** `network.allow` of its profile: a request for anything else goes nowhere. */
  readonly within: Narrowing;
  /** Told of such a request. */
  readonly onOutside: (target: Target | undefined, request: string) => void;
  /** `network.onDeny: ask`: told where each connection's first request leads, which waits until it settles. */
  readonly ask?: AskAbout | undefined;
  /** Its folder is mounted in a sandbox that outlives us: it stays when the bridge is closed, for the next one to listen in. */
  readonly stays?: boolean;
  /** What an earlier bridge counted of it. */
  readonly before?: Used | undefined;
}

/** Where the proxy listens, and what it calls tools and profiles. */
export interface Upstream {
  readonly address: '127.0.0.1';
  readonly port: number;
  readonly numbers: Numbers;
}

export interface BridgeSummary extends Used {
  /** Connections that were not taken: a bound was reached, or there was no proxy. */
  readonly refused: number;
}

export interface Bridge {
  /**
   * The run's folder, which holds nothing but `proxy.sock`: a new one, or the one named `known` that an earlier bridge left. Throws
   * ID_IN_USE, HOST_UNPREPARED.
   */
  addRun(run: BridgedRun, known?: string): Promise<{ readonly folder: string }>;
  /** Ends its connections, and removes its folder. Undefined when it is not known. */
  removeRun(run: string): BridgeSummary | undefined;
  /** What it was used for so far. */
  usedBy(run: string): BridgeSummary | undefined;
  /** Where new connections go from now on; undefined: nowhere. */
  switchTo(upstream: Upstream | undefined): void;
  /** Resets the live connections of the runs that `concerns` picks. */
  resetRuns(concerns: (run: BridgedRun) => boolean): void;
  setLimits(limitsOf: (run: BridgedRun) => Limits): void;
  /** Requests that the proxy has logged for a run. */
  countRequests(run: string, requests: number): void;
  close(): void;
}

/** `sun_path` has 108 bytes, one of them for its end (unix(7)). */
const longestPath = 107;
/** Of all runs together, so that no run's number of connections takes the descriptors of another. */
const mostConnections = 1024;
/** A socket of each is ours, and one caller must not take the descriptors of others. */
const mostRunsAtOnce = 2048;
const sweepMs = 5000;

class Doors implements Bridge {
  private readonly options: BridgeOptions;
  private readonly doors = new Map<string, { readonly door: RunDoor; readonly folder: string }>();
  private readonly sweeping: NodeJS.Timeout;
  private upstream: Upstream | undefined;
  private readonly refusals = { waiting: 0 };

  constructor(options: BridgeOptions) {
    this.options = options;
    this.sweeping = setInterval(() => {
      const now = performance.now();
      for (const { door } of this.doors.values()) door.sweep(now);
    }, sweepMs).unref();
  }

  async addRun(run: BridgedRun, known?: string): Promise<{ folder: string }> {
    const { folder: parent, passed, closed = false, shown = parent, prefix = '' } = this.options;
    if (this.doors.has(run.run)) throw new CofferdamError('ID_IN_USE', `the run ${run.run} has a way out already`);
    if (this.doors.size >= (this.options.mostRuns ?? mostRunsAtOnce))
      throw new CofferdamError('PROXY_FAILED', 'too many runs of this caller have a way out');
    // Not the run's id: the path must stay short, and nobody who may only pass the folder above shall guess it.
    const name = known ?? randomBytes(8).toString('hex');
    const folder = join(parent, name);
    const path = join(folder, 'proxy.sock');
    if (Buffer.byteLength(path) > longestPath) {
      throw new CofferdamError('HOST_UNPREPARED', `the path ${path} is too long for a socket`, {
        remedy: 'set XDG_RUNTIME_DIR to a short path, such as /run/user/UID',
      });
    }
    const identity: RunIdentity = { ...run, run: `${prefix}${run.run}`, number: randomBytes(6).readUIntBE(0, 6) };
    const door = new RunDoor({
      run,
      identity,
      upstream: () => this.upstream,
      hasRoom: () => this.count() < mostConnections,
      refusals: this.refusals,
    });
    // Before the first wait: of two calls for one run the second finds it.
    this.doors.set(run.run, { door, folder });
    try {
      if (known === undefined) mkdirSync(folder, { mode: 0o700 });
      else rmSync(path, { force: true });
      await door.listen(path);
      // Connecting takes the right to write (unix(7)); the program inside is another uid. Where the folder above is not closed, the bits of
      // the group bound what is given to those who are named (acl(5)), and give nothing else.
      chmodSync(path, closed ? 0o660 : 0o666);
      if (!closed) chmodSync(folder, passed ? 0o711 : 0o755);
    } catch (cause) {
      if (known === undefined) this.removeRun(run.run);
      else {
        // Mounted already: another may listen there later.
        door.close();
        this.doors.delete(run.run);
      }
      throw cause;
    }
    return { folder: join(shown, name) };
  }

  private count(): number {
    let all = 0;
    for (const { door } of this.doors.values()) all += door.size;
    return all;
  }

  removeRun(run: string): BridgeSummary | undefined {
    const found = this.doors.get(run);
    if (found === undefined) return undefined;
    this.doors.delete(run);
    const summary = found.door.close();
    rmSync(found.folder, { recursive: true, force: true });
    return summary;
  }

  usedBy(run: string): BridgeSummary | undefined {
    return this.doors.get(run)?.door.used();
  }

  switchTo(upstream: Upstream | undefined): void {
    this.upstream = upstream;
  }

  resetRuns(concerns: (run: BridgedRun) => boolean): void {
    for (const { door } of this.doors.values()) if (concerns(door.run)) door.resetAll();
  }

  setLimits(limitsOf: (run: BridgedRun) => Limits): void {
    for (const { door } of this.doors.values()) door.setLimits(limitsOf(door.run));
  }

  countRequests(run: string, requests: number): void {
    this.doors.get(run)?.door.countRequests(requests);
  }

  close(): void {
    clearInterval(this.sweeping);
    for (const [run, { door }] of [...this.doors])
      if (door.run.stays === true) door.close();
      else this.removeRun(run);
    this.doors.clear();
  }
}

/** Starts a bridge without a run and without a proxy: who connects is refused until there is one. */
export function startBridge(options: BridgeOptions): Bridge {
  return new Doors(options);
}
