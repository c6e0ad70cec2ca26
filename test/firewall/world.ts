// Owns a world for the firewall's tests: a host and the internet as network namespaces of the test, joined by one cable.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { systemPath } from '../../lib/base/exec.ts';
import type { FirewallModel } from '../../lib/firewall/model.ts';
import type { StaticRules } from '../../lib/firewall/render.ts';

const root = resolve(import.meta.dirname, '../..');
const packets = join(import.meta.dirname, 'packets.py');
const env = { PATH: systemPath, LANG: 'C.UTF-8' };

/** Uids that no account of the machine needs to have: the kernel knows numbers. */
export const uids = { sandbox: 300_001, subuid: 365_000, bridge: 64_001, proxy: 64_002, person: 4_001, system: 101 };

export const addresses = {
  public4: '45.45.45.10',
  public6: '2a00:45::10',
  dns4: '45.45.45.53',
  dns6: '2a00:45::53',
  private4: '10.9.9.10',
  private6: 'fd00:9::10',
  /** What the policy excepts. */
  excepted4: '10.8.8.10',
  excepted6: 'fd00:8::10',
  metadata: ['169.254.169.254', '100.100.100.200', '168.63.129.16', '192.0.0.192', 'fd00:ec2::254', 'fd20:ce::254'],
  own4: '45.45.45.1',
  own6: '2a00:45::1',
} as const;

/** A host whose sandboxes have a bridge, a proxy and one listener of the bridge. */
export const sampleModel: FirewallModel = {
  mode: 'scoped',
  sandboxUids: [{ first: 300_000, last: 365_535 }],
  bridgeUid: uids.bridge,
  bridgeEndpoints: [
    { address: '127.0.0.1', port: 3131 },
    { address: '::1', port: 3131 },
  ],
  proxy: {
    uid: uids.proxy,
    endpoints: [
      { address: '127.0.0.1', port: 3129 },
      { address: '::1', port: 3129 },
    ],
  },
  outPorts: [80, 443],
  privateNetworks: [
    { address: '10.8.0.0', prefix: 16, family: 'ipv4', text: '10.8.0.0/16' },
    { address: 'fd00:8::', prefix: 32, family: 'ipv6', text: 'fd00:8::/32' },
    // Metadata addresses lie in these; an exception does not open them.
    { address: '100.64.0.0', prefix: 10, family: 'ipv4', text: '100.64.0.0/10' },
    { address: 'fd00:ec2::', prefix: 32, family: 'ipv6', text: 'fd00:ec2::/32' },
  ],
  dnsServers: [addresses.dns4, addresses.dns6],
  sandboxInterfaces: ['cft-sbx0'],
  ports: [
    { protocol: 'tcp', address: '127.0.0.1', port: 8081 },
    { protocol: 'tcp', address: addresses.own4, port: 8082 },
    { protocol: 'tcp', address: addresses.own6, port: 8082 },
    { protocol: 'udp', address: '0.0.0.0', port: 8083 },
  ],
  hostUids: [{ first: 0, last: 999 }],
};

/** The shipped rules. */
export const staticRules: StaticRules = {
  base: readFileSync(join(root, 'nftables/cofferdam.nft'), 'utf8'),
  strict: readFileSync(join(root, 'nftables/strict.nft'), 'utf8'),
};

export interface Probe {
  readonly uid: number;
  readonly proto: 'tcp' | 'udp' | 'icmp';
  readonly address: string;
  readonly port: number;
  readonly from_port?: number;
  /** Seconds to wait; default 3. */
  readonly patience?: number;
}

export interface Listener {
  readonly proto: 'tcp' | 'udp';
  readonly address: string;
  readonly port: number;
}

/** A program inside a namespace, to its end. */
export type Inside = (argv: readonly string[], input?: string) => string;

export interface World {
  /** On the host and on the internet. */
  readonly host: Inside;
  readonly net: Inside;
  /** Name of the host's namespace, for ip(8). */
  readonly hostName: string;
  serve(where: 'host' | 'net', listeners: readonly Listener[]): Promise<void>;
  /** A Python program that says `ready`, until the end of the world. */
  start(where: 'host' | 'net', program: string): Promise<void>;
  /** `passed`, or the error, of each probe; sent from the host unless told otherwise. */
  probe(probes: readonly Probe[], where?: 'host' | 'net'): string[];
  /** A sandbox on a network behind `interface` of the host: the host's addresses there, then its own. Gives its probe(). */
  attach(name: string, gateways: readonly string[], own: readonly string[]): (probes: readonly Probe[]) => string[];
}

function inside(name: string): Inside {
  return ([file = '', ...args], input = '') =>
    execFileSync('/usr/sbin/ip', ['netns', 'exec', name, file, ...args], {
      env,
      input,
      encoding: 'utf8',
      maxBuffer: 64 << 20,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
}

function startServer(name: string, args: readonly string[]): Promise<ChildProcess> {
  const child = spawn('/usr/sbin/ip', ['netns', 'exec', name, '/usr/bin/python3', ...args], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (status) => fail(new Error(`the server ended with ${status}`)));
    child.stdout?.once('data', () => done(child));
  });
}

/** What a test gives: a place to say what goes with it. */
export interface Owner {
  teardown(end: () => unknown): unknown;
}

/** Makes the world for one test; it goes with the test. Needs root, iproute2 and python3. */
export function makeWorld(t: Owner): World {
  const id = randomBytes(4).toString('hex');
  const [hostName, netName] = [`cft-h-${id}`, `cft-n-${id}`];
  const ip = (...args: string[]) => execFileSync('/usr/sbin/ip', args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const servers: ChildProcess[] = [];
  const names: string[] = [hostName, netName];
  t.teardown(async () => {
    await Promise.all(
      servers.map(
        (server) =>
          new Promise((done) => {
            server.removeAllListeners('exit').once('exit', done);
            server.kill();
          }),
      ),
    );
    for (const name of names) ip('netns', 'del', name);
  });
  for (const name of [hostName, netName]) ip('netns', 'add', name);
  const [host, net] = [inside(hostName), inside(netName)];
  ip('link', 'add', 'out0', 'netns', hostName, 'type', 'veth', 'peer', 'name', 'in0', 'netns', netName);
  // Link-local addresses are of use at once, not after the second in which another might claim them.
  const hurry = (run: Inside) =>
    run(['/usr/bin/sh', '-c', 'for f in /proc/sys/net/ipv6/conf/*/accept_dad; do echo 0 >$f; done']);
  const on = (run: Inside, ...words: string[]) => run(['/usr/sbin/ip', ...words]);
  for (const [run, cable] of [
    [host, 'out0'],
    [net, 'in0'],
  ] as const) {
    hurry(run);
    on(run, 'link', 'set', 'lo', 'up');
    on(run, 'link', 'set', cable, 'up');
  }
  const { own4, own6, metadata, ...there } = addresses;
  on(host, 'addr', 'add', `${own4}/24`, 'dev', 'out0');
  on(host, 'addr', 'add', `${own6}/64`, 'dev', 'out0', 'nodad');
  for (const address of [...Object.values(there), ...metadata]) {
    const bits = address.includes(':') ? '/64' : '/24';
    on(net, 'addr', 'add', `${address}${bits}`, 'dev', 'in0', ...(address.includes(':') ? ['nodad'] : []));
  }
  on(host, 'route', 'add', 'default', 'via', there.public4);
  on(host, '-6', 'route', 'add', 'default', 'via', there.public6);
  // Unprivileged pings, so that ICMP of a sandbox is tried too.
  host(['/usr/bin/sh', '-c', 'echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range']);
  const start = async (where: 'host' | 'net', args: readonly string[]) => {
    servers.push(await startServer(where === 'host' ? hostName : netName, args));
  };
  const probeIn = (run: Inside, probes: readonly Probe[]) =>
    JSON.parse(run(['/usr/bin/python3', packets, 'probe', JSON.stringify(probes)])) as string[];
  return {
    host,
    net,
    hostName,
    attach(name, gateways, own) {
      const sandboxName = `cft-s-${id}`;
      ip('netns', 'add', sandboxName);
      names.push(sandboxName);
      const sandbox = inside(sandboxName);
      ip('link', 'add', name, 'netns', hostName, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', sandboxName);
      const give = (run: Inside, cable: string, all: readonly string[]) => {
        hurry(run);
        on(run, 'link', 'set', cable, 'up');
        for (const address of all) {
          const six = address.includes(':');
          on(run, 'addr', 'add', `${address}${six ? '/64' : '/24'}`, 'dev', cable, ...(six ? ['nodad'] : []));
        }
      };
      give(host, name, gateways);
      give(sandbox, 'eth0', own);
      for (const gateway of gateways)
        on(sandbox, ...(gateway.includes(':') ? ['-6'] : []), 'route', 'add', 'default', 'via', gateway);
      host([
        '/usr/bin/sh',
        '-c',
        'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding',
      ]);
      return (probes) => probeIn(sandbox, probes);
    },
    serve: (where, listeners) => start(where, [packets, 'serve', JSON.stringify(listeners)]),
    start: (where, program) => start(where, ['-c', program]),
    probe: (probes, where = 'host') => probeIn(where === 'host' ? host : net, probes),
  };
}
