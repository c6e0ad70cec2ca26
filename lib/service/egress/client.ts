// Owns reaching the daemon, starting it where there is none, and one run's way out as its caller holds it.
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { z } from 'zod';
import { CofferdamError, errnoOf, messageOf } from '../../base/errors.ts';
import { startDetached, systemPath } from '../../base/exec.ts';
import { takeFileLock } from '../../base/lock.ts';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { proxyVariables } from '../../policy/parentProxy.ts';
import { type EgressFolders, ensureEgressFolders } from './folders.ts';
import { readLineMessages, writeMessage } from './lineSocket.ts';
import { answerSchema, type EgressRequest, errorOf, type Failure } from './protocol.ts';
import { callerPlaces, isSystemEgress } from './systemPlaces.ts';

const startMs = 240_000;

function lost(why: string): CofferdamError {
  return new CofferdamError('PROXY_FAILED', `the daemon of the way out ${why}`, {
    remedy: 'run it again; what it said stands in egress/daemon.log beside runs.log',
  });
}

/** A connection to the daemon: questions are answered in order. */
export class EgressConnection {
  private readonly socket: Socket;
  private readonly waiting: { take: (line: string) => void; fail: (error: unknown) => void }[] = [];

  constructor(socket: Socket) {
    this.socket = socket;
    const end = () => {
      for (const { fail } of this.waiting.splice(0)) fail(lost('ended'));
    };
    socket.on('error', end).on('close', end);
    readLineMessages(socket, (line) => this.waiting.shift()?.take(line));
  }

  /** Throws what the daemon answers with, or PROXY_FAILED when it is gone. */
  async ask<T extends z.ZodType>(request: EgressRequest, answer: T): Promise<z.output<T>> {
    if (this.socket.destroyed) throw lost('ended');
    const line = await new Promise<string>((take, fail) => {
      this.waiting.push({ take, fail });
      writeMessage(this.socket, request);
    });
    const parsed = answerSchema.safeParse(JSON.parse(line));
    if (!parsed.success) throw lost('speaks another version');
    if (!parsed.data.ok) throw errorOf(parsed.data.error);
    const value = answer.safeParse(parsed.data.value);
    if (!value.success) throw lost('speaks another version');
    return value.data;
  }

  close(): void {
    this.socket.destroy();
  }
}

/** The daemon that runs, or undefined. */
export async function reachDaemon({ control }: Pick<EgressFolders, 'control'>): Promise<EgressConnection | undefined> {
  const socket = connect(control);
  try {
    await new Promise<void>((done, fail) => socket.once('connect', done).once('error', fail));
    return new EgressConnection(socket);
  } catch (cause) {
    socket.destroy();
    // The last: it was just ending.
    if (['ENOENT', 'ECONNREFUSED', 'ECONNRESET'].includes(errnoOf(cause) ?? '')) return undefined;
    throw new CofferdamError('TOOL_FAILED', `cannot reach ${control}: ${messageOf(cause)}`, { cause });
  }
}

function readFailure(file: string): Failure | undefined {
  const text = readFileSync(file, 'utf8');
  return text === '' ? undefined : (JSON.parse(text) as Failure);
}

type Environment = Readonly<Record<string, string | undefined>>;

async function startDaemonProcess(paths: Paths, folders: EgressFolders, env: Environment): Promise<EgressConnection> {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-start-'));
  const said = join(folder, 'said');
  const log = openSync(join(folders.logs, 'daemon.log'), 'w', 0o600);
  const result = openSync(said, 'wx', 0o600);
  try {
    const program = join(paths.install, 'dist/bin/egress.cjs');
    const child = startDetached(process.execPath, [program, JSON.stringify(paths)], {
      env: { PATH: systemPath, LANG: 'C.UTF-8', ...proxyVariables(env) },
      stderr: log,
      result,
    });
    let over = false;
    void child.ended.then(() => {
      over = true;
    });
    for (const end = performance.now() + startMs; performance.now() < end; ) {
      const ended = over;
      const reached = await reachDaemon(folders);
      if (reached !== undefined) {
        child.forget();
        return reached;
      }
      if (ended) {
        const failure = readFailure(said);
        throw failure === undefined ? lost('ended before it answered') : errorOf(failure);
      }
      await new Promise((done) => setTimeout(done, 10));
    }
    throw lost(`did not answer within ${startMs / 1000} s (${printable(folders.control)})`);
  } finally {
    closeSync(log);
    closeSync(result);
    rmSync(folder, { recursive: true, force: true });
  }
}

/** That of the host, where it is the one to use. Throws EGRESS_DOWN when it does not answer: no other takes its place. */
async function openSystemDaemon(paths: Paths, uid: number): Promise<EgressConnection | undefined> {
  if (!isSystemEgress(paths, uid)) return undefined;
  const { control } = callerPlaces(uid);
  const found = await reachDaemon({ control });
  if (found !== undefined) return found;
  throw new CofferdamError('EGRESS_DOWN', `the way out of this host does not answer uid ${uid} (${control})`);
}

/**
 * The daemon of the host, or this user's own, started where there is none, with what `env` says of a parent proxy. Throws EGRESS_DOWN, and
 * what its start was stopped by.
 */
export async function openDaemon(paths: Paths, uid: number, env: Environment): Promise<EgressConnection> {
  const system = await openSystemDaemon(paths, uid);
  if (system !== undefined) return system;
  const folders = ensureEgressFolders(paths, uid);
  const found = await reachDaemon(folders);
  if (found !== undefined) return found;
  const lock = await takeFileLock(folders.startLock, startMs);
  try {
    return (await reachDaemon(folders)) ?? (await startDaemonProcess(paths, folders, env));
  } finally {
    lock.release();
  }
}
