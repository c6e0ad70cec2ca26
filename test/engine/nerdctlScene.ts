// Owns a containerd of a test's own, on its own socket, root and state, and nerdctl that asks it.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import { clientEnv } from '../../lib/engine/nerdctl/client.ts';
import { findTool } from '../../lib/engine/tools.ts';
import { type Started, sceneOf } from '../system/scene.ts';
import { findProcesses } from '../system/traces.ts';
import { makeHome, type OwnEngine, ownEngine, startDaemon } from './ownDaemon.ts';

/** A containerd of somebody's. */
export interface ContainerdScene extends OwnEngine {
  /** Folder of all that it writes. */
  readonly home: string;
  readonly daemon: Started;
  /** Where nerdctl keeps what it knows of our containers. */
  readonly containers: string;
  /** Processes of containerd's, of nerdctl's and of our scripts with them, the guest's aside; their command lines. */
  processes(): string[];
  /** `nerdctl ARGUMENTS` at our daemon: what it prints. */
  nerdctl(...args: string[]): Promise<string>;
}

export interface NerdctlScene extends ContainerdScene {
  readonly socket: string;
  /** containerd's own process for a run, by its init's pid. */
  findShim(id: string, init: number): Shim;
}

/** Built by .ci/install-nerdctl. */
export const client = '/var/cache/cofferdam-tests/nerdctl-v2.2.1/nerdctl';

/** Path of containerd. */
export function requireContainerd(): string {
  if (!existsSync(client)) throw new Error(`${client} is missing: .ci/install-nerdctl`);
  const file = findTool('containerd');
  if (file === undefined) throw new Error('containerd is missing: apt-get install containerd');
  return file;
}

export interface Shim {
  /** Kills it, and sees to its socket, which then nobody takes away. */
  kill(): void;
}

function parentOf(pid: number): number {
  return Number(/^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** Starts containerd, behind the words `around`; it ends, and all it wrote goes, at the end of the file. Throws when it does not answer. */
export async function startContainerd(around: readonly string[] = []): Promise<NerdctlScene> {
  const containerd = requireContainerd();
  const settings = (home: string) => ({ client, socket: join(home, 'socket'), dataRoot: join(home, 'nerdctl') });
  const home = makeHome('nerdctl', (folder) => JSON.stringify({ engines: { nerdctl: settings(folder) } }));
  const { socket, dataRoot } = settings(home);
  const config = join(home, 'config.toml');
  mkdirSync(join(home, 'state'));
  writeFileSync(
    config,
    [
      'version = 2',
      `root = "${join(home, 'root')}"`,
      `state = "${join(home, 'state')}"`,
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `[grpc]\naddress = "${socket}"`,
    ].join('\n'),
  );
  const common = ['--address', socket, '--data-root', dataRoot, '--namespace', 'cofferdam'];
  const nerdctl = async (...args: string[]) =>
    (await runTool(client, [...common, ...args], { timeoutMs: 20_000, env: clientEnv })).stdout;
  const daemon = await startDaemon({
    command: ['/usr/bin/env', ...around, containerd, '--config', config],
    home,
    ask: () => nerdctl('ps'),
  });
  const containersOf = (id: string) => nerdctl('ps', '--all', '--quiet', '--filter', `name=cofferdam-${id}`);
  const findShim = (id: string, init: number): Shim => {
    const pid = parentOf(init);
    const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    if (!command.includes('containerd-shim-runc-v2')) throw new Error(`the parent of ${init} is ${command}`);
    const container = readFileSync(join(dataRoot, 'containers', `cofferdam-${id}`, 'cid'), 'utf8');
    // containerd's own name for it (SocketAddress in its package shim).
    const name = createHash('sha256')
      .update(join(socket, 'cofferdam', container))
      .digest('hex');
    const file = join('/run/containerd/s', name);
    if (!existsSync(file)) throw new Error(`the shim has no socket ${file}`);
    return {
      kill: () => {
        tap.teardown(() => rmSync(file, { force: true }));
        process.kill(pid, 'SIGKILL');
      },
    };
  };
  return {
    ...ownEngine({ engine: 'nerdctl', home, scene: sceneOf('root'), containersOf }),
    socket,
    home,
    daemon,
    findShim,
    containers: join(dataRoot, 'containers'),
    processes: () => findProcesses(home).map(({ command }) => command),
    nerdctl,
  };
}
