// Owns a host for the tests of `firewall apply` and its like: network and mount namespaces of the test, files of its own.
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import type { Test } from 'tap';
import { systemPath } from '../../lib/base/exec.ts';

const bin = resolve(import.meta.dirname, '../../bin/firewall');

export interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface HostScene {
  /** Any program on that host, as root. */
  run(argv: readonly string[], input?: string): Ended;
  /** `firewall ARGS` there. */
  firewall(...args: string[]): Ended;
  /** The same, until it is killed; it goes with the test. */
  startFirewall(...args: string[]): ChildProcessByStdio<null, null, Readable>;
  /** Several at once. */
  firewallAtOnce(calls: readonly (readonly string[])[]): Promise<Ended[]>;
  /** /etc/cofferdam/firewall.yaml there. */
  writePolicy(text: string): void;
  /** Every table, without handles. */
  ruleset(): string;
}

const accounts = `root:x:0:0:root:/root:/bin/sh
cofferdam:x:990:990::/nonexistent:/usr/sbin/nologin
cofferdam-bridge:x:991:991::/nonexistent:/usr/sbin/nologin
cofferdam-proxy:x:992:992::/nonexistent:/usr/sbin/nologin
worker:x:1100:1100::/home/worker:/bin/sh
`;

/** What stands in the files of /etc that the firewall reads. */
export interface HostFiles {
  readonly passwd?: string;
}

/** A host without a bridge and a proxy. */
export const noProxy: HostFiles = { passwd: accounts.replace(/^cofferdam-.*\n/gm, '') };

/** Makes the host for one test; it goes with the test. Needs root. */
export async function makeHost(t: Test, files: HostFiles = {}): Promise<HostScene> {
  const folder = mkdtempSync(join(tmpdir(), 'cofferdam-firewall-'));
  const write = (name: string, content: string) => {
    const file = join(folder, name);
    writeFileSync(file, content);
    return file;
  };
  const binds = [
    [write('passwd', files.passwd ?? accounts), '/etc/passwd'],
    [write('subuid', 'cofferdam:231072:65536\nworker:400000:65536\nstranger:500000:65536\n'), '/etc/subuid'],
    [write('resolv.conf', 'nameserver 192.0.2.53\n'), '/etc/resolv.conf'],
  ];
  const prepare = [
    ...['/etc/cofferdam', '/run/cofferdam'].map((path) => `mount -t tmpfs -o mode=0755 none ${path}`),
    ...binds.map(([from, to]) => `mount --bind ${from} "$(readlink -f ${to})"`),
    'echo worker >/etc/cofferdam/users',
    'ip link set lo up',
    'echo ready',
    'exec cat',
  ].join(' && ');
  const env = { PATH: systemPath, LANG: 'C.UTF-8' };
  const holder = spawn('unshare', ['--net', '--mount', '--propagation', 'private', 'sh', '-c', prepare], {
    env,
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await new Promise<void>((done, fail) => {
    holder.stdout.once('data', () => done());
    holder.once('exit', (status) => fail(new Error(`the namespaces could not be made: ${status}`)));
  });
  t.teardown(async () => {
    await new Promise((done) => {
      holder.removeAllListeners('exit').once('exit', done);
      holder.stdin.end();
    });
    rmSync(folder, { recursive: true, force: true });
  });
  const enter = ['-t', String(holder.pid), '-n', '-m', '--'];
  const run: HostScene['run'] = (argv, input = '') => {
    const { status, stdout, stderr } = spawnSync('nsenter', [...enter, ...argv], { env, input, encoding: 'utf8' });
    return { status, stdout, stderr };
  };
  // By env(1), because tap adds variables of its own to every child.
  const command = ['env', '-i', `PATH=${systemPath}`, bin];
  const start = (args: readonly string[]) =>
    new Promise<Ended>((done) => {
      const child = spawn('nsenter', [...enter, ...command, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
      let [stdout, stderr] = ['', ''];
      child.stdout.on('data', (chunk) => {
        stdout += chunk;
      });
      child.stderr.on('data', (chunk) => {
        stderr += chunk;
      });
      child.on('close', (status) => done({ status, stdout, stderr }));
    });
  return {
    run,
    firewall: (...args) => run([...command, ...args]),
    startFirewall(...args) {
      const child = spawn('nsenter', [...enter, ...command, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
      t.teardown(
        () => new Promise((done) => (child.exitCode === null ? child.once('exit', done).kill() : done(undefined))),
      );
      return child;
    },
    firewallAtOnce: (calls) => Promise.all(calls.map(start)),
    writePolicy(text) {
      const { status } = run(['sh', '-c', 'umask 077; cat >/etc/cofferdam/firewall.yaml'], text);
      t.equal(status, 0);
    },
    ruleset: () => run(['nft', '-s', 'list', 'ruleset']).stdout,
  };
}
