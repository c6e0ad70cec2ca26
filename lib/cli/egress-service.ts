// Owns the command line of the way out of a worker host: node egress-service.cjs bridge | proxy, which systemd starts (systemd/).
import { join } from 'node:path';
import { CofferdamError } from '../base/errors.ts';
import { runTool } from '../base/exec.ts';
import { resolvePaths } from '../base/paths.ts';
import { printable } from '../base/printable.ts';
import { proxyEndpoints } from '../firewall/identities.ts';
import { failureOf } from '../service/egress/protocol.ts';
import { startSystemDaemon } from '../service/egress/systemDaemon.ts';
import { callerLogs, callersFolder, proxyFolder, proxySocket } from '../service/egress/systemPlaces.ts';
import { startSquidHost } from '../service/squid/host.ts';

const say = (text: string) => void process.stderr.write(`${printable(text, 600)}\n`);

/** SD_LISTEN_FDS_START of sd_listen_fds(3). */
const firstListener = 3;

interface Service {
  close(): Promise<void>;
}

async function startProxy(): Promise<Service> {
  const { LISTEN_PID: pid, LISTEN_FDS: count } = process.env;
  if (pid !== String(process.pid) || count !== '1')
    throw new CofferdamError('USAGE', 'this is started by systemd, which gives it one socket');
  return startSquidHost({ folder: proxyFolder, endpoints: proxyEndpoints, listener: firstListener });
}

async function startBridge(uid: number): Promise<Service> {
  // The policy is the host's: root's files, whoever we are.
  const paths = resolvePaths({ uid: 0, env: {}, install: join(import.meta.dirname, '../..') });
  const daemon = await startSystemDaemon({
    paths,
    uid,
    env: process.env,
    callers: callersFolder,
    logs: callerLogs,
    proxySocket,
    say,
  });
  process.on('SIGHUP', () => void daemon.meet());
  return daemon;
}

async function start(what: string | undefined): Promise<Service> {
  const uid = process.getuid?.() ?? 0;
  if (uid === 0) throw new CofferdamError('USAGE', 'this is never run as root');
  if (what === 'bridge') return startBridge(uid);
  if (what === 'proxy') return startProxy();
  throw new CofferdamError('USAGE', 'egress-service.cjs bridge | proxy');
}

/** Node has no datagram sockets of the unix family. systemd waits for this, and the tool until it was read. */
async function tellReady(): Promise<void> {
  const socket = process.env['NOTIFY_SOCKET'];
  if (socket !== undefined) await runTool('systemd-notify', ['--ready'], { env: { NOTIFY_SOCKET: socket } });
}

async function main(): Promise<void> {
  const service = await start(process.argv[2]);
  const end = () => void service.close().then(() => process.exit(0));
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.on(name, end);
  await tellReady();
}

main().catch((thrown) => {
  const { message, remedy } = failureOf(thrown);
  say(message);
  say(`  ${remedy}`);
  process.exit(125);
});
