// Owns a host of its own inside this one: pid, mount and network namespaces with empty /tmp, /run and state, so that what
// stands there can be counted exactly while other things go on outside.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { systemPath } from '../../lib/base/exec.ts';
import { type Paths, resolvePaths } from '../../lib/base/paths.ts';
import { makeCommandLine } from './commandLine.ts';
import { type Ended, install, type Scene, sceneOf, until } from './scene.ts';
import { readSoft } from './traces.ts';

// Set-up made the folders below /run and /var/lib; images stay visible, and the checkout where it lies in /tmp.
const script = `set -eu
uid=$1 gid=$2 install=$3
ip link set lo up
case $install in /tmp/*) mount --bind "$install" /mnt ;; esac
mount -t tmpfs -o mode=1777 tmpfs /tmp
case $install in /tmp/*) mkdir -p "$install" && mount --move /mnt "$install" ;; esac
mount --bind /var/lib/cofferdam/images /mnt
mount -t tmpfs -o mode=0755 tmpfs /var/lib/cofferdam
mkdir /var/lib/cofferdam/images
mount --move /mnt /var/lib/cofferdam/images
mkdir -p /run/cofferdam /run/user
mount -t tmpfs -o mode=0711 tmpfs /run/cofferdam
mount -t tmpfs -o mode=0755 tmpfs /run/user
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -m 0700 "/run/user/$uid" /tmp/home
chown "$uid:$gid" "/run/user/$uid" /tmp/home
mkdir -m 0700 /tmp/killAt
mount -t tmpfs tmpfs /tmp/killAt
gcc -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -o /tmp/killAt/killAt "$install"/test/system/killAt/*.c
echo ready
exec sleep infinity
`;

// An empty record is left alone for ten seconds, and half a file beside its place for a minute: a live process may be writing it.
const clockAhead = 'data:text/javascript,const now = Date.now; Date.now = () => now() + 120_000;';

export interface LoneHost {
  readonly scene: Scene;
  /** Begins every run's id, and nothing else's on the real host. */
  readonly prefix: string;
  /** An id that no run here had. */
  newId(): string;
  readonly paths: Paths;
  /** Its root folder, seen from outside; below it `proc` is its own. */
  readonly root: string;
  /** Pid of its init, seen from outside. */
  readonly init: number;
  /** Runs a program to its end, as root of the real host, inside. */
  asRoot(words: readonly string[]): Promise<Ended>;
  /** `sandbox ARGUMENTS` as the scene's caller, by a command line that stays. */
  call(args: readonly string[]): Promise<Ended>;
  /** The same, two minutes later. */
  callLater(args: readonly string[]): Promise<Ended>;
  /** Words that run a program as the scene's caller, with the caller's environment alone. */
  asCaller(words: readonly string[]): string[];
}

function childOf(pid: number): number | undefined {
  const [first] = readSoft(`/proc/${pid}/task/${pid}/children`).split(' ');
  return first === undefined || first === '' ? undefined : Number(first);
}

function environment({ uid }: Scene): Record<string, string> {
  return { PATH: systemPath, HOME: '/tmp/home', LANG: 'C.UTF-8', XDG_RUNTIME_DIR: `/run/user/${uid}` };
}

async function runToEnd(file: string, words: readonly string[]): Promise<Ended> {
  const child = spawn(file, words, { cwd: '/', env: { PATH: systemPath }, stdio: ['pipe', 'pipe', 'pipe'] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
  child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
  child.stdin.on('error', () => undefined);
  child.stdin.end();
  return new Promise((done, fail) => {
    child.on('error', fail);
    // Not `close`: a survivor of a kill, which is what tests look for, would hold the pipes.
    child.on('exit', (status, signal) => {
      const [o, e] = [Buffer.concat(out), Buffer.concat(err)];
      done({ status, signal, out: o, err: e, stdout: o.toString(), stderr: e.toString() });
    });
  });
}

/** Control groups whose name begins with `prefix`, in every hierarchy. */
export function findCgroups(prefix: string, folder = '/sys/fs/cgroup', depth = 0): string[] {
  let entries: string[];
  try {
    entries = readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
  return entries.flatMap((name) => {
    const path = join(folder, name);
    return [...(depth < 8 ? findCgroups(prefix, path, depth + 1) : []), ...(name.startsWith(prefix) ? [path] : [])];
  });
}

async function open(child: ChildProcess): Promise<number> {
  let said = '';
  child.stdout?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ready = await until(() => said.includes('ready\n') || child.exitCode !== null);
  const init = childOf(child.pid ?? -1);
  if (!ready || init === undefined || child.exitCode !== null) throw new Error(`no host of our own: ${said}`);
  return init;
}

/** Makes one for the scene's caller; it goes, with all that runs in it, at the end of the file. */
export async function makeLoneHost(caller: Scene['caller']): Promise<LoneHost> {
  const scene = sceneOf(caller);
  const prefix = `kill${process.pid}${randomBytes(3).toString('hex')}-`;
  const namespaces = [
    '--mount',
    '--propagation',
    'private',
    '--pid',
    '--fork',
    '--mount-proc',
    '--net',
    '--kill-child',
  ];
  const init = ['/usr/bin/tini-static', '--', '/bin/sh', '-c', script, 'host'];
  const words = [...namespaces, ...init, String(scene.uid), String(scene.gid), install];
  // It must not outlive us, whoever kills us.
  const child = spawn('/usr/bin/setpriv', ['--pdeathsig', 'KILL', '/usr/bin/unshare', ...words], {
    cwd: '/',
    env: { PATH: systemPath },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  tap.teardown(async () => {
    child.kill('SIGKILL');
    await until(() => child.signalCode !== null || child.exitCode !== null);
    for (const path of findCgroups(prefix)) rmdirSync(path);
  });
  const pid = await open(child);
  const env = environment(scene);
  const named = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const { uid, gid } = scene;
  let runs = 0;
  const inside = ['-t', String(pid), '-m', '-p', '-n', '--'];
  const drop = uid === 0 ? [] : ['/usr/bin/setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--init-groups'];
  const asCaller = (program: readonly string[]) => [...drop, '/usr/bin/env', '-i', ...named, ...program];
  const openLine = (...options: string[]) =>
    makeCommandLine(install, ([node, ...words]) =>
      spawn('/usr/bin/nsenter', [...inside, ...asCaller([node, ...options, ...words])], { cwd: '/', env: {} }),
    );
  const [now, later] = [openLine(), openLine('--import', clockAhead)];
  tap.teardown(async () => void (await Promise.all([now.close(), later.close()])));
  return {
    scene,
    prefix,
    newId: () => `${prefix}${++runs}`,
    init: pid,
    root: `/proc/${pid}/root`,
    paths: resolvePaths({ uid, env, install }),
    asRoot: (program) => runToEnd('/usr/bin/nsenter', [...inside, ...program]),
    call: now.call,
    callLater: later.call,
    asCaller,
  };
}

/** Text of a file inside; empty when there is none. */
export function readInside({ root }: LoneHost, path: string): string {
  try {
    return readFileSync(join(root, path), 'utf8');
  } catch {
    return '';
  }
}
