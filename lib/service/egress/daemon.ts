// Owns the daemon of the way out: one per uid, reached by its control socket, gone by itself when nobody has used it for a while.
import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { takeFileLock } from '../../base/lock.ts';
import type { Paths } from '../../base/paths.ts';
import { policySourceOf } from '../../firewall/policySource.ts';
import { followWall } from '../../firewall/wall.ts';
import { readClock } from '../../policy/clock.ts';
import { loadHostConfig } from '../../profile/hostConfig.ts';
import { ensureEgressFolders, wallPlaces } from './folders.ts';
import { readLineMessages, writeMessage } from './lineSocket.ts';
import { type EgressRequest, failureOf, requestSchema } from './protocol.ts';
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
function sweep(folders: readonly string[]): void {
  for (const folder of folders)
    for (const name of readdirSync(folder)) rmSync(join(folder, name), { recursive: true, force: true });
}

class Service implements Daemon {
  readonly ended: Promise<void>;
  private readonly options: DaemonOptions;
  private readonly way: WayKeeper;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private idle: NodeJS.Timeout | undefined;
  private finish: () => void = () => undefined;
  private closing = false;
  private readonly following = new AbortController();

  constructor(options: DaemonOptions, way: WayKeeper) {
    this.options = options;
    this.way = way;
    this.ended = new Promise((done) => {
      this.finish = done;
    });
    this.server = createServer((socket) => this.serve(socket));
  }

  async listen(path: string): Promise<void> {
    rmSync(path, { force: true });
    await new Promise<void>((done, fail) => {
      this.server.once('error', fail);
      this.server.listen(path, () => {
        this.server.off('error', fail).on('error', () => undefined);
        done();
      });
    });
    chmodSync(path, 0o600);
    this.rest();
  }

  /** Whether the wall of the host stands, from here on. */
  follow(): void {
    const { paths, uid } = this.options;
    const request = { places: wallPlaces(paths), uid, clock: readClock };
    void followWall(request, this.following.signal, (state) => this.way.setWall(state));
  }

  // Again from the start whenever somebody comes or goes.
  private rest(): void {
    const { idleMs } = this.options;
    clearTimeout(this.idle);
    if (idleMs === 0 || this.sockets.size > 0) return;
    this.idle = setTimeout(() => this.close(), idleMs);
  }

  private serve(socket: Socket): void {
    this.sockets.add(socket);
    this.rest();
    /** Runs whose way was opened by this connection, and ends with it. */
    const opened = new Set<string>();
    let turn: Promise<void> = Promise.resolve();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      // Behind what is being opened for it right now.
      void turn.then(async () => {
        for (const run of opened) await this.way.end(run);
        this.sockets.delete(socket);
        this.rest();
      });
    });
    readLineMessages(socket, (line) => {
      turn = turn.then(async () => {
        const answer = await this.answer(line, opened);
        if (!socket.destroyed) writeMessage(socket, answer);
      });
    });
  }

  private async answer(line: string, opened: Set<string>): Promise<object> {
    try {
      const parsed = requestSchema.safeParse(parseJson(line));
      if (!parsed.success) throw new CofferdamError('USAGE', `the way out was asked for something it does not know`);
      return { ok: true, value: await this.act(parsed.data, opened) };
    } catch (thrown) {
      return { ok: false, error: failureOf(thrown) };
    }
  }

  private async act(request: EgressRequest, opened: Set<string>): Promise<unknown> {
    switch (request.do) {
      case 'run': {
        const { id, tool, profile, asks } = request;
        const way = await this.way.open({ run: id, tool: tool ?? undefined, profile, asks });
        opened.add(id);
        return way;
      }
      case 'end': {
        // One's own alone: a connection says nothing about the runs of another.
        const summary = opened.delete(request.id) ? await this.way.end(request.id) : undefined;
        if (summary === undefined) throw new CofferdamError('RUN_UNKNOWN', `${request.id} has no way out`);
        return summary;
      }
      case 'reload':
        await this.way.refresh();
        return this.status();
      case 'status':
        return this.status();
    }
  }

  private status(): object {
    return { pid: process.pid, ...this.way.status() };
  }

  close(): void {
    if (this.closing) return;
    this.closing = true;
    clearTimeout(this.idle);
    this.following.abort();
    this.server.close();
    for (const socket of this.sockets) socket.destroy();
    void this.way.close().finally(() => this.finish());
  }
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/**
 * Starts the daemon; it answers when this settles, and a proxy enforces the policy. Throws what stops it: POLICY_MISSING, CONFIG_INVALID,
 * PROXY_MISSING, PROXY_FAILED; ID_IN_USE when there is one already.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { paths, uid, env, say } = options;
  const folders = ensureEgressFolders(paths, uid);
  const lock = await takeFileLock(folders.lock, 2000).catch((cause: unknown) => {
    throw new CofferdamError('ID_IN_USE', 'the way out of this user has a daemon already', { cause });
  });
  try {
    sweep([folders.runs, folders.squid]);
    const way = new WayKeeper({
      folders,
      uid,
      source: () => policySourceOf(paths, uid),
      env,
      ceiling: () => loadHostConfig(paths.hostConfig).approvals,
      squid: { identity: squidIdentity(uid) },
      say,
    });
    const service = new Service(options, way);
    try {
      await way.refresh();
      await service.listen(folders.control);
      service.follow();
    } catch (cause) {
      await way.close();
      throw cause;
    }
    return { close: () => service.close(), ended: service.ended.finally(() => lock.release()) };
  } catch (cause) {
    lock.release();
    throw cause;
  }
}
