// Owns one running Squid: its folder, its start with a configuration that was checked, its end without leftovers.
import { chmodSync, chownSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { runTool, type Streamed, streamTool, systemPath } from '../../base/exec.ts';
import { ensureDirectory, writeFileAtomic } from '../../base/files.ts';
import { printable } from '../../base/printable.ts';
import { numberPrincipals, type PrincipalNumbers } from '../../firewall/squid/numbers.ts';
import { pages } from '../../firewall/squid/pages.ts';
import { renderSquid } from '../../firewall/squid/render.ts';
import type { Clock } from '../../policy/clock.ts';
import type { ParentProxy } from '../../policy/parentProxy.ts';
import type { Policy } from '../../policy/policy.ts';
import type { AccessEntry } from './accessLog.ts';
import { writeCertificate } from './certificate.ts';
import { countConnections, findFreePort, isListening, openSockets } from './listener.ts';
import { openLogPipe } from './logPipe.ts';
import { nameSegments, removeSegments, sweepSegments } from './segments.ts';

export interface SquidOptions {
  /** What findSquid() gave for this `sni`. */
  readonly binary: string;
  readonly policy: Policy;
  readonly clock: Clock;
  /** Its own, made here and removed at the end. */
  readonly folder: string;
  /** On 127.0.0.1; undefined: a free one. */
  readonly port?: number | undefined;
  /** The effective one of chooseParent(). */
  readonly parent?: ParentProxy | undefined;
  readonly sni?: 'off' | 'strict' | undefined;
  readonly dnsServers?: readonly string[] | undefined;
  /** How many files it may have open; each tunnel takes two. */
  readonly fdLimit?: number | undefined;
  /** Where we are root: who it runs as. It never runs as root. */
  readonly identity?: { readonly uid: number; readonly gid: number } | undefined;
  /** Each request, when it has ended. */
  readonly onEntry: (entry: AccessEntry) => void;
  /** A log line that could not be read. */
  readonly onUnreadable?: ((bytes: number) => void) | undefined;
}

export interface SquidExit {
  readonly exitCode: number | undefined;
  readonly signal: string | undefined;
  /** Its last words on stderr. */
  readonly text: string;
}

export interface RunningSquid {
  readonly pid: number;
  readonly port: number;
  /** Those of its policy: what the bridge must write into its headers while it uses this one. */
  readonly numbers: PrincipalNumbers;
  /** Connections that it has open. */
  connections(): number;
  /** Waits for its connections to end, at most `drainMs`, then ends it. Stopped twice it has the shorter time. */
  stop(how: { readonly drainMs: number }): Promise<void>;
  /** Settles when it has ended, whoever ended it, and its log has been read. */
  readonly exited: Promise<SquidExit>;
}

const startMs = 60_000;
/** Only against one that hangs: killed before it has logged all, it loses that. */
const endMs = 20_000;
const pollMs = 10;
const mostWords = 4096;
const failed = (text: string, cause?: unknown) => new CofferdamError('PROXY_FAILED', text, { cause });
const wait = (ms: number) => new Promise((done) => setTimeout(done, ms));

interface Places {
  readonly conf: string;
  readonly log: string;
  readonly cacheLog: string;
  readonly certificate: string;
  readonly pages: string;
}

function own(path: string, { identity }: SquidOptions): void {
  if (identity !== undefined) chownSync(path, identity.uid, identity.gid);
}

function writeConf(options: SquidOptions, places: Places, port: number, numbers: PrincipalNumbers): void {
  const { policy, clock, parent, sni = 'off', dnsServers = [], fdLimit = 4096 } = options;
  const { log: logFile, cacheLog, certificate, pages: pagesFolder } = places;
  const files = { certificate, logFile, cacheLog, pagesFolder };
  const input = { policy, clock, port, numbers, parent, sni, dnsServers, fdLimit, ...files };
  writeFileAtomic(places.conf, renderSquid(input));
  own(places.conf, options);
}

function writePages(options: SquidOptions, { pages: folder }: Places): void {
  ensureDirectory(folder);
  own(folder, options);
  for (const [name, text] of pages) {
    writeFileSync(join(folder, name), text, { mode: 0o600 });
    own(join(folder, name), options);
  }
}

/** argv that starts Squid as who it is to be: it dies with us, and gains nothing by what it executes. */
function commandOf({ binary, identity }: SquidOptions, args: readonly string[]): string[] {
  const who =
    identity === undefined
      ? []
      : [`--reuid=${identity.uid}`, `--regid=${identity.gid}`, '--clear-groups', '--bounding-set=-all'];
  return [...who, '--no-new-privs', '--pdeathsig', 'KILL', '--', binary, ...args];
}

// A line that says ERROR does not always make the status one.
async function checkConf(options: SquidOptions, name: string, conf: string): Promise<void> {
  const args = commandOf(options, ['-n', name, '-k', 'parse', '-f', conf]);
  const { stderr, exitCode } = await runTool('setpriv', args, { timeoutMs: startMs, accept: [0, 1] });
  const fault = stderr.split('\n').find((line) => /\b(?:ERROR|FATAL|[Cc]onfiguration error|aclParse\w+):/.test(line));
  if (fault === undefined && exitCode === 0) return;
  throw failed(
    `Squid refuses the configuration that was made for it: ${printable(fault ?? `status ${exitCode}`, 400)}`,
  );
}

interface Started {
  readonly child: Streamed;
  readonly words: () => string;
}

function start(options: SquidOptions, name: string, conf: string): Started {
  let words = '';
  const child = streamTool('setpriv', commandOf(options, ['-N', '-n', name, '-f', conf]), {
    env: { PATH: systemPath, LANG: 'C.UTF-8' },
    cwd: '/',
    stdin: 'ignore',
    stdout: () => undefined,
    stderr: (chunk) => {
      words = (words + Buffer.from(chunk).toString('utf8')).slice(-mostWords);
    },
    detached: 'alone',
  });
  return { child, words: () => printable(words.trim(), 600) };
}

/** Until it listens itself, or has ended. */
async function awaitReady({ child, words }: Started, port: number, ended: () => boolean): Promise<number> {
  for (const until = performance.now() + startMs; performance.now() < until && !ended(); ) {
    if (child.pid !== undefined && isListening(child.pid, port)) return child.pid;
    await wait(pollMs);
  }
  child.kill('SIGKILL');
  throw failed(`Squid ${ended() ? 'ended while it started' : 'did not listen in time'}: ${words()}`);
}

/**
 * Starts Squid with what `policy` says. Throws PROXY_FAILED when it refuses the configuration or does not come up, FIREWALL_INPUT for what
 * must not be rendered; nothing is left behind then.
 */
export async function startSquid(options: SquidOptions): Promise<RunningSquid> {
  const { folder, identity } = options;
  if (identity?.uid === 0 || (identity === undefined && process.getuid?.() === 0))
    throw new CofferdamError('INTERNAL', 'Squid was about to run as root');
  sweepSegments();
  const name = nameSegments();
  const places: Places = {
    conf: join(folder, 'squid.conf'),
    log: join(folder, 'access.fifo'),
    cacheLog: join(folder, 'cache.log'),
    certificate: join(folder, 'certificate.pem'),
    pages: join(folder, 'pages'),
  };
  const clean = () => {
    rmSync(folder, { recursive: true, force: true });
    removeSegments(name);
  };
  const numbers = numberPrincipals(options.policy);
  ensureDirectory(folder);
  let closeLog = async () => {};
  try {
    chmodSync(folder, 0o700);
    own(folder, options);
    const port = options.port ?? (await findFreePort());
    if (options.sni === 'strict') {
      await writeCertificate(places.certificate);
      own(places.certificate, options);
    }
    writePages(options, places);
    writeConf(options, places, port, numbers);
    const { onEntry, onUnreadable = () => {} } = options;
    const log = await openLogPipe({ file: places.log, onEntry, onUnreadable });
    closeLog = () => log.close();
    own(places.log, options);
    await checkConf(options, name, places.conf);
    const started = start(options, name, places.conf);
    let over = false;
    const exited = started.child.ended.then(async ({ exitCode, signal, startError }): Promise<SquidExit> => {
      over = true;
      await log.close();
      clean();
      return { exitCode, signal, text: startError ?? started.words() };
    });
    const pid = await awaitReady(started, port, () => over).catch(async (cause: unknown) => {
      await exited;
      throw cause;
    });
    return {
      pid,
      port,
      numbers,
      exited,
      ...handle(started, exited, { pid, port, idle: openSockets(pid), isOver: () => over }),
    };
  } catch (cause) {
    await closeLog();
    clean();
    throw cause;
  }
}

interface Live {
  readonly pid: number;
  readonly port: number;
  /** Sockets that it has without any connection. */
  readonly idle: ReadonlySet<string>;
  readonly isOver: () => boolean;
}

function handle(
  { child }: Started,
  exited: Promise<SquidExit>,
  { pid, port, idle, isOver }: Live,
): Pick<RunningSquid, 'connections' | 'stop'> {
  const connections = () => (isOver() ? 0 : countConnections(pid, port));
  let until = Number.POSITIVE_INFINITY;
  const end = async () => {
    while (connections() > 0 && performance.now() < until) await wait(50);
    // It closes its listener, a second later what is open, and a connection is logged before it is closed. One more second to its end is of no use.
    child.kill('SIGTERM');
    const isBusy = () => isListening(pid, port) || [...openSockets(pid)].some((inode) => !idle.has(inode));
    for (const late = performance.now() + endMs; !isOver() && isBusy() && performance.now() < late; )
      await wait(pollMs);
    child.kill('SIGKILL');
    await exited;
  };
  let ending: Promise<void> | undefined;
  return {
    connections,
    stop({ drainMs }) {
      until = Math.min(until, performance.now() + drainMs);
      ending ??= end();
      return ending;
    },
  };
}
