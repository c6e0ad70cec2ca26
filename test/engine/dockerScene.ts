// Owns a docker daemon of a test's own, on its own socket and data, and bin/sandbox run under a host configuration that names it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from '../../lib/base/exec.ts';
import { findTool } from '../../lib/engine/tools.ts';
import { sceneOf } from '../system/scene.ts';
import { makeHome, type OwnEngine, ownEngine, startDaemon } from './ownDaemon.ts';

export interface DockerScene extends OwnEngine {
  readonly socket: string;
  /** Below it lies all that the daemon has. */
  readonly home: string;
  /** Kills the daemon, which then cleans up nothing; whoever it started is left to itself. */
  killDaemon(): Promise<void>;
  /** `docker ARGUMENTS` at our daemon: what it prints. */
  docker(...args: string[]): Promise<string>;
}

function requireDaemon(): string {
  const file = findTool('dockerd');
  if (file === undefined) throw new Error('dockerd is missing: apt-get install docker.io');
  return file;
}

/** Starts dockerd with `extra` options; it ends, and all it wrote goes, at the end of the file. Throws when it does not answer. */
export async function startDocker(extra: readonly string[] = ['--userns-remap=cofferdam']): Promise<DockerScene> {
  const socketOf = (home: string) => join(home, 'docker.sock');
  const home = makeHome('docker', (folder) => `engines:\n  docker:\n    socket: ${socketOf(folder)}\n`);
  const socket = socketOf(home);
  const [data, exec] = [join(home, 'data'), join(home, 'exec')];
  for (const folder of [data, exec]) mkdirSync(folder, { mode: 0o755 });
  writeFileSync(join(home, 'daemon.json'), '{}');
  const docker = async (...args: string[]) =>
    (await runTool('docker', ['--host', `unix://${socket}`, ...args], { timeoutMs: 20_000 })).stdout;
  const daemon = await startDaemon({
    command: [
      requireDaemon(),
      ...['--host', `unix://${socket}`, '--data-root', data, '--exec-root', exec, '--pidfile', join(home, 'pid')],
      ...['--config-file', join(home, 'daemon.json')],
      ...['--bridge=none', '--iptables=false', '--ip6tables=false', ...extra],
    ],
    home,
    ask: () => docker('version'),
  });
  const containersOf = (id: string) => docker('ps', '--all', '--quiet', '--filter', `label=cofferdam.run=${id}`);
  return {
    ...ownEngine({ engine: 'docker', home, scene: sceneOf('root'), containersOf }),
    socket,
    home,
    docker,
    killDaemon: async () => {
      daemon.child.kill('SIGKILL');
      await daemon.ended;
    },
  };
}
