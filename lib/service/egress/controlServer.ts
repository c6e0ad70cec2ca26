// Owns answering at control sockets: a connection is the lease of the ways that it opened, and what it is told is one caller's alone.
import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { CofferdamError } from '../../base/errors.ts';
import type { LeasedWays } from './leasedWays.ts';
import { readLineMessages, readMessage, writeMessage } from './lineSocket.ts';
import { type EgressRequest, type EgressSummary, failureOf, requestSchema } from './protocol.ts';
import type { WayKeeper } from './wayKeeper.ts';

export type Answered = Extract<EgressRequest, { do: 'answer' }>;

function endWay(run: string, { way, leased }: CallerWays): Promise<EgressSummary | undefined> {
  return leased?.has(run) === true ? leased.end(run) : way.end(run);
}

/** Of one caller. */
export interface CallerWays {
  readonly way: WayKeeper;
  /** Of sandboxes that live on; undefined where only runs have one. */
  readonly leased: LeasedWays | undefined;
  /** Notes an answer to a refused request. Throws REQUEST_UNKNOWN, HOST_FORBIDS. Undefined where whoever answers writes the log. */
  readonly answer?: ((answered: Answered) => void) | undefined;
}

/** Connections at one socket: each run has one. Beyond them the descriptors of other callers would be taken. */
const mostConnections = 4096;
/** Answers that nobody reads, bytes: who leaves more is hung up on. */
const mostUnread = 1 << 20;
/** Requests that wait for their turn before no more of them are read. */
const mostWaiting = 64;

export class ControlServer {
  private readonly servers: Server[] = [];
  private readonly sockets = new Set<Socket>();
  private readonly onChange: () => void;
  private closed = false;

  /** `onChange` is told when somebody comes or goes. */
  constructor(onChange: () => void) {
    this.onChange = onChange;
  }

  /** How many are connected. */
  get size(): number {
    return this.sockets.size;
  }

  /** Whoever reaches `path` is the caller whose ways these are. `mode` is the socket's. */
  async listen(path: string, mode: number, ways: CallerWays): Promise<void> {
    rmSync(path, { force: true });
    const server = createServer((socket) => this.serve(socket, ways));
    server.maxConnections = mostConnections;
    await new Promise<void>((done, fail) => {
      server.once('error', fail);
      server.listen(path, () => {
        server.off('error', fail).on('error', () => undefined);
        done();
      });
    });
    chmodSync(path, mode);
    this.servers.push(server);
  }

  private serve(socket: Socket, ways: CallerWays): void {
    this.sockets.add(socket);
    this.onChange();
    /** Runs whose way was opened by this connection, and ends with it, unless their sandbox holds it by now. */
    const opened = new Set<string>();
    let turn: Promise<void> = Promise.resolve();
    socket.on('error', () => undefined);
    socket.on('close', () => {
      // Behind what is being opened for it right now.
      void turn.then(async () => {
        // When it is we who end, the next daemon finds out who lives.
        for (const run of opened) if (!this.closed && ways.leased?.isHeld(run) !== true) await endWay(run, ways);
        this.sockets.delete(socket);
        this.onChange();
      });
    });
    let waiting = 0;
    readLineMessages(socket, (line) => {
      waiting++;
      if (waiting >= mostWaiting) socket.pause();
      turn = turn.then(async () => {
        waiting--;
        if (waiting === 0) socket.resume();
        if (socket.destroyed) return;
        const answer = await this.answer(line, ways, opened);
        if (!socket.destroyed) writeMessage(socket, answer);
        if (socket.writableLength > mostUnread) socket.destroy();
      });
    });
  }

  private async answer(line: string, ways: CallerWays, opened: Set<string>): Promise<object> {
    try {
      const request = readMessage(requestSchema, line);
      if (request === undefined)
        throw new CofferdamError('USAGE', `the way out was asked for something it does not know`);
      return { ok: true, value: await this.act(request, ways, opened) };
    } catch (thrown) {
      return { ok: false, error: failureOf(thrown) };
    }
  }

  private async act(request: EgressRequest, ways: CallerWays, opened: Set<string>): Promise<unknown> {
    const { way, leased } = ways;
    switch (request.do) {
      case 'run': {
        const { id, tool, profile, asks, allow } = request;
        const opening = await way.open({ run: id, tool: tool ?? undefined, profile, asks, allow: allow ?? undefined });
        opened.add(id);
        return opening;
      }
      case 'lease': {
        const { do: _, id, ...asked } = request;
        if (leased === undefined)
          throw new CofferdamError('ENGINE_CANNOT', 'the way out of this host is for runs, and keeps no sandbox');
        const opening = await leased.open({ run: id, ...asked });
        opened.add(id);
        return opening;
      }
      case 'end': {
        // One's own alone: a connection says nothing about the runs of another.
        const summary = opened.delete(request.id) ? await endWay(request.id, ways) : undefined;
        if (summary === undefined) throw new CofferdamError('RUN_UNKNOWN', `${request.id} has no way out`);
        return summary;
      }
      case 'answer': {
        if (ways.answer === undefined) throw new CofferdamError('USAGE', 'answers here are written by who gives them');
        ways.answer(request);
        break;
      }
      case 'reload':
        await way.refresh();
        break;
      case 'status':
    }
    return { pid: process.pid, ...way.status() };
  }

  close(): void {
    this.closed = true;
    for (const server of this.servers) server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}
