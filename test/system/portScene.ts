// Owns what tests of published ports share: a registry of the test's own, also for root, and asking a port.
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type Options, type Scene, type Started, sandboxFile } from './scene.ts';
import { readSoft } from './traces.ts';

export interface PortScene {
  readonly scene: Scene;
  /** The registry's file, and its folder. */
  readonly file: string;
  /** `sandbox` with that registry: root's is the host's, so that is put in its place in a mount namespace. */
  start(args: readonly string[], options?: Options): Started;
  text(): string;
  /** The port of a name, as the file says. */
  portOf(name: string): number;
}

/** A registry with one range that no other test file uses, and what `more` says. */
export function makePorts(scene: Scene, name: string, more = ''): PortScene & { readonly first: number } {
  const first = 21_000 + ((process.pid * 2 + (scene.uid === 0 ? 0 : 1)) % 400) * 20;
  const registry = `ranges: # ours\n  - { first: ${first}, last: ${first + 19} }\n${more}`;
  const home = scene.uid === 0 ? join(scene.home, name) : join(scene.home, name, 'cofferdam');
  const file = scene.write(join(name, scene.uid === 0 ? '' : 'cofferdam', 'ports.yaml'), registry, 0o600);
  const start: PortScene['start'] = (args, options = {}) =>
    scene.uid === 0
      ? scene.spawn(
          '/usr/bin/unshare',
          [
            '--mount',
            '--propagation',
            'private',
            '/bin/sh',
            '-c',
            'mount --bind "$0" /etc/cofferdam && exec "$@"',
            home,
            sandboxFile,
            ...args,
          ],
          options,
        )
      : scene.spawn(sandboxFile, args, {
          ...options,
          env: { ...options.env, XDG_CONFIG_HOME: join(scene.home, name) },
        });
  const text = () => readFileSync(file, 'utf8');
  const portOf = (one: string) => {
    const lines = text().split('\n');
    const at = lines.findIndex((line) => line.endsWith(`name: ${one}`));
    return Number(/port: ([0-9]+)/.exec(lines[at + 1] ?? '')?.[1]);
  };
  return { scene, file, start, text, portOf, first };
}

/** What comes back for `bytes`, once each side has ended; undefined when there was no connection, or it broke. */
export function ask(port: number, bytes: string | Uint8Array, address = '127.0.0.1'): Promise<Buffer | undefined> {
  return new Promise((done) => {
    const chunks: Buffer[] = [];
    let broken = false;
    const socket = connect({ port, host: address, timeout: 60_000 });
    socket.on('connect', () => socket.end(bytes));
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.on('timeout', () => socket.destroy(new Error('timeout')));
    socket.on('error', () => {
      broken = true;
    });
    socket.on('close', () => done(broken ? undefined : Buffer.concat(chunks)));
  });
}

/** Whether a HTTP server answers there. */
export async function serves(port: number, address?: string): Promise<boolean> {
  return (await ask(port, 'GET / HTTP/1.0\r\n\r\n', address))?.includes('200 OK') === true;
}

/** Looks every 50 ms for two minutes or more. */
export async function untilServes(port: number, wanted: boolean): Promise<boolean> {
  for (let look = 0; look < 2400; look++) {
    if ((await serves(port)) === wanted) return true;
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}

/** Pids of our supervisor and of its forwarder, for a run. */
export function findSupervisors(id: string): { supervisor: number; forwarder: number } {
  const all = readdirSync('/proc')
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((pid) => readSoft(`/proc/${pid}/cmdline`).includes(`/supervise\0--id\0${id}\0`));
  const parentOf = (pid: string) =>
    readSoft(`/proc/${pid}/stat`)
      .replace(/^.*\) \S /, '')
      .split(' ')[0] ?? '';
  const forwarder = all.find((pid) => all.includes(parentOf(pid)));
  const supervisor = all.find((pid) => pid !== forwarder);
  return { supervisor: Number(supervisor), forwarder: Number(forwarder) };
}
