// Owns the scene of the proxy's tests: a host and a small internet as namespaces, name servers, listeners, Squid under its own uid.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { systemPath } from '../../lib/base/exec.ts';
import { addresses, makeWorld, uids, type World } from '../firewall/world.ts';
import { clock } from '../policy/world.ts';
import type { Answer, AskOrder, StartOrder } from './squidDriver.ts';

const env = { PATH: systemPath, LANG: 'C.UTF-8' };
const { public4, public6, dns4, dns6, private4, private6, excepted4, metadata } = addresses;

/** Address records of the internet. The unlisted host lives where the name servers do. */
export const names: Readonly<Record<string, readonly string[]>> = {
  'allowed.example.org': [public4, public6],
  'six.example.org': [public6],
  'other.example.org': [dns4],
  'unlisted.example.net': [dns4, dns6],
  'private.example.org': [private4],
  'private6.example.org': [private6],
  'metadata.example.org': [metadata[0]],
  'loopback.example.org': ['127.0.0.1'],
  'loopback6.example.org': ['::1'],
  'this.example.org': ['0.0.0.0'],
  'mapped.example.org': [`::ffff:${private4}`],
  'nat64.example.org': ['64:ff9b::a09:90a'],
  'linklocal.example.org': ['fe80::10'],
  'mixed.example.org': [public4, private4],
  'mixed6.example.org': [public4, private6],
  'denied.example.org': [public4],
  'excepted.example.org': [excepted4],
  'mixedexcepted.example.org': [excepted4, private4],
};

/** Answers in turn, each with a time to live of 0. */
const answers = {
  'rebind.turn.example': [[public4], [private4]],
  'fails.turn.example': ['fail', [private4]],
  'empty.turn.example': [[], [private4]],
};

/** The policy that the attempts are about. */
export const bypassPolicy = `
global:
  deny: [denied.example.org]
tools:
  other@v1:
    allow: [other.example.org]
  web@v1:
    allow:
      - allowed.example.org
      - six.example.org
      - denied.example.org
      - "*.turn.example"
${Object.keys(names)
  .filter((name) => name.endsWith('.example.org') && !/^(?:allowed|six|other|denied)/.test(name))
  .map((name) => `      - ${name}\n`)
  .join('')}    private:
      - {host: .example.org, addresses: [10.8.0.0/16]}
`;

export interface Reached {
  readonly at: string;
  readonly port: number;
  /** What was sent there first; undefined for the connection itself. */
  readonly got?: string;
}

export type Ask = Omit<AskOrder, 'do' | 'squid' | 'run' | 'as'> & Partial<Pick<AskOrder, 'as' | 'run'>>;

export interface Asked extends Answer {
  /** Where anything arrived meanwhile. */
  readonly reached: readonly Reached[];
}

export interface Squid {
  readonly port: number;
  readonly pid: number;
  ask(order: Ask): Promise<Asked>;
  /** Several at once, without looking at where they arrive. */
  askAll(orders: readonly Ask[]): Promise<Answer[]>;
  /** Where anything arrived since the last look. */
  reached(): Promise<readonly Reached[]>;
  stop(drainMs?: number): Promise<void>;
}

export interface SquidScene {
  readonly world: World;
  /** PEM of the authority that the internet's certificates are from. */
  readonly authority: string;
  readonly folder: string;
  start(policy: string, options?: Partial<Omit<StartOrder, 'do' | 'policy'>>): Promise<Squid>;
}

interface Conversation {
  /** Writes a line; settles with the next line that `isAnswer` takes. */
  say(line: object, isAnswer: (said: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  /** Lines that nobody waited for, since the last call. */
  heard(): Record<string, unknown>[];
}

function converse(t: Test, child: ChildProcess): Promise<Conversation> {
  const waiting: {
    isAnswer: (said: Record<string, unknown>) => boolean;
    done: (said: Record<string, unknown>) => void;
  }[] = [];
  let others: Record<string, unknown>[] = [];
  const next = (isAnswer: (said: Record<string, unknown>) => boolean) =>
    new Promise<Record<string, unknown>>((done, fail) => {
      waiting.push({ isAnswer, done });
      child.once('exit', (status) => fail(new Error(`it ended with ${status}`)));
    });
  child.setMaxListeners(0);
  if (child.stdout === null || child.stdin === null) throw new Error('no pipes');
  createInterface({ input: child.stdout }).on('line', (line) => {
    const said = JSON.parse(line) as Record<string, unknown>;
    const at = waiting.findIndex(({ isAnswer }) => isAnswer(said));
    if (at === -1) others.push(said);
    else waiting.splice(at, 1)[0]?.done(said);
  });
  const { stdin } = child;
  t.teardown(
    () =>
      new Promise((done) => {
        if (child.exitCode !== null) return done(undefined);
        child.removeAllListeners('exit').once('exit', done);
        stdin.end();
      }),
  );
  return next(({ ready }) => ready === true).then(() => ({
    say(line, isAnswer) {
      const answer = next(isAnswer);
      stdin.write(`${JSON.stringify(line)}\n`);
      return answer;
    },
    heard() {
      const all = others;
      others = [];
      return all;
    },
  }));
}

/** A key and certificate of an authority of the test's own, for every name of the scene. */
function makeCertificate(folder: string): { readonly file: string; readonly authority: string } {
  const file = join(folder, 'internet.pem');
  const alternatives = [...Object.keys(names), '*.turn.example'].map((name) => `DNS:${name}`).join(',');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...['-subj', '/CN=test', '-addext', `subjectAltName=${alternatives}`, '-keyout', file, '-out', `${file}.crt`],
    ],
    { env, stdio: 'pipe' },
  );
  const authority = readFileSync(`${file}.crt`, 'utf8');
  execFileSync('sh', ['-c', `cat '${file}.crt' >>'${file}'`], { env });
  return { file, authority };
}

function dnsmasqArguments(all: typeof names): string[] {
  const records = Object.entries(all).flatMap(([name, found]) =>
    found.map((address) => `--host-record=${name},${address}`),
  );
  const reverse = [public4, private4, dns4].map(
    (address) => `--ptr-record=${address.split('.').reverse().join('.')}.in-addr.arpa,allowed.example.org`,
  );
  return [
    ...['--keep-in-foreground', '--conf-file=/dev/null', '--no-hosts', '--no-resolv', '--user=root', '--pid-file='],
    ...[
      '--bind-interfaces',
      `--listen-address=${dns4}`,
      `--listen-address=${dns6}`,
      '--cache-size=0',
      '--log-facility=-',
    ],
    ...['--server=/turn.example/127.0.0.1#5353', ...records, ...reverse],
  ];
}

async function startDnsmasq(t: Test, world: World, netName: string, all: typeof names): Promise<void> {
  // Unlike the others it has no stdin whose end it notices: it dies with the test that is killed.
  const inside = ['/usr/sbin/ip', 'netns', 'exec', netName, '/usr/sbin/dnsmasq', ...dnsmasqArguments(all)];
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', ...inside], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  t.teardown(
    () =>
      new Promise((done) => {
        if (child.exitCode !== null) return done(undefined);
        child.once('exit', done);
        child.kill();
      }),
  );
  for (let i = 0; i < 3000; i++) {
    if (child.exitCode !== null) throw new Error(`dnsmasq ended: ${said}`);
    if (world.net(['/usr/bin/sh', '-c', 'ss -Hltn sport = :53 | wc -l']).trim() === '2') return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`dnsmasq did not start: ${said}`);
}

/** Makes the scene for a test, or for all of a file; `more` are address records beside those above. Needs root. */
export async function makeSquidScene(t: Test, more: typeof names = {}): Promise<SquidScene> {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-squid-'));
  chmodSync(folder, 0o711);
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const world = makeWorld(t);
  const netName = world.hostName.replace('cft-h-', 'cft-n-');
  const { file, authority } = makeCertificate(folder);
  await startDnsmasq(t, world, netName, { ...names, ...more });
  const inside = (name: string, argv: readonly string[]) =>
    converse(t, spawn('/usr/sbin/ip', ['netns', 'exec', name, ...argv], { env, stdio: ['pipe', 'pipe', 'inherit'] }));
  const listeners = { certificate: file, plain: [80, 8080, 22], tls: [443, 8443], answers };
  const internet = await inside(netName, [
    ...['/usr/bin/python3', join(import.meta.dirname, 'internet.py'), JSON.stringify(listeners)],
  ]);
  const driver = await inside(world.hostName, [process.execPath, join(import.meta.dirname, 'squidDriver.ts')]);
  let orders = 0;
  const order = async <T>(what: object): Promise<T> => {
    orders++;
    const id = orders;
    const { answer, fault } = await driver.say({ ...what, id }, (said) => said['id'] === id);
    if (fault !== undefined) throw new Error(String(fault));
    return answer as T;
  };
  const reachedSince = async () => {
    orders++;
    const mark = String(orders);
    await internet.say({ mark }, (said) => typeof said['mark'] === 'string' && said['mark'].includes(`"${mark}"`));
    return internet.heard() as unknown as Reached[];
  };
  let generations = 0;
  return {
    world,
    authority,
    folder,
    async start(policy, options = {}) {
      generations++;
      const { port, pid } = await order<{ port: number; pid: number }>({
        ...{ do: 'start', policy, clock, folder: join(folder, `squid-${generations}`), uid: uids.proxy },
        ...{ dnsServers: [dns4], ...options },
      });
      const askOnce = (what: Ask) => order<Answer>({ do: 'ask', squid: port, as: { tool: 'web@v1' }, run: 1, ...what });
      return {
        port,
        pid,
        async ask(what) {
          await reachedSince();
          const answer = await askOnce(what);
          return { ...answer, reached: await reachedSince() };
        },
        askAll: (all) => Promise.all(all.map(askOnce)),
        reached: reachedSince,
        async stop(drainMs = 0) {
          await order({ do: 'stop', squid: port, drainMs });
        },
      };
    },
  };
}
