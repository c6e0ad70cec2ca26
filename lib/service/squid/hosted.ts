// Owns a Squid that another account of this host runs for us (host.ts), as the bridge holds it.
import { connect, type Socket } from 'node:net';
import { CofferdamError } from '../../base/errors.ts';
import { numberPrincipals } from '../../firewall/squid/numbers.ts';
import type { Clock } from '../../policy/clock.ts';
import type { ParentProxy } from '../../policy/parentProxy.ts';
import type { Policy } from '../../policy/policy.ts';
import { readLineMessages, readMessage, writeMessage } from '../egress/lineSocket.ts';
import { errorOf } from '../egress/protocol.ts';
import type { AccessEntry } from './accessLog.ts';
import type { RunningSquid, SquidExit } from './generation.ts';
import { type HostRequest, hostEvent, mostHostMessage } from './hostProtocol.ts';

export interface HostedSquidOptions {
  /** Socket of the account that runs it. */
  readonly socket: string;
  readonly policy: Policy;
  /** The same policy as it was read. */
  readonly text: string;
  readonly clock: Clock;
  readonly parent: ParentProxy | undefined;
  /** Each request, when it has ended. */
  readonly onEntry: (entry: AccessEntry) => void;
}

export type HostedSquid = Omit<RunningSquid, 'connections'>;

/** With two limits of startSquid(), and the start of the account's own process, which its first Squid waits for. */
const startMs = 240_000;
const lost = (text: string) => new CofferdamError('PROXY_FAILED', text);

async function reach(path: string): Promise<Socket> {
  const socket = connect(path);
  try {
    await new Promise<void>((done, fail) => socket.once('connect', done).once('error', fail));
    return socket;
  } catch (cause) {
    throw new CofferdamError('PROXY_FAILED', `nobody runs the proxy of this host: ${path}`, {
      remedy: 'see: systemctl status cofferdam-proxy.socket cofferdam-proxy.service',
      cause,
    });
  }
}

/**
 * Has one started. Throws PROXY_FAILED, and what starting it throws (startSquid()). It ends with the connection, so it never
 * outlives us.
 */
export async function startHostedSquid(options: HostedSquidOptions): Promise<HostedSquid> {
  const { policy, text, clock, parent, onEntry } = options;
  const socket = await reach(options.socket);
  const send = (request: HostRequest) => void writeMessage(socket, request);
  let words = 'whoever ran it is gone';
  const exited = new Promise<SquidExit>((done) => {
    socket.on('error', () => undefined);
    socket.on('close', () => done({ exitCode: undefined, signal: undefined, text: words }));
  });
  const started = new Promise<{ readonly pid: number; readonly port: number }>((done, fail) => {
    readLineMessages(
      socket,
      (line) => {
        const event = readMessage(hostEvent, line);
        if (event?.event === 'entry') onEntry(event.entry);
        else if (event?.event === 'started') done(event);
        else if (event?.event === 'failed') fail(errorOf(event.error));
        else if (event?.event === 'exited') words = event.text;
        else socket.destroy();
      },
      mostHostMessage,
    );
    void exited.then((exit) => fail(lost(exit.text)));
  });
  send({ do: 'start', policy: text, file: policy.file, clock, parent: parent?.text ?? null });
  // A service that systemd cannot start leaves who knocks without an answer.
  const late = setTimeout(() => {
    words = `whoever runs it did not answer within ${startMs / 1000} s`;
    socket.destroy();
  }, startMs);
  const { pid, port } = await started.finally(() => clearTimeout(late));
  return {
    pid,
    port,
    numbers: numberPrincipals(policy),
    exited,
    async stop({ drainMs }) {
      if (!socket.destroyed) send({ do: 'stop', drainMs });
      await exited;
    },
  };
}
