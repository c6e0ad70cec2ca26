// Owns a containerd of the plain test user's own, in the namespaces of rootlesskit, and nerdctl that asks it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from '../../lib/base/exec.ts';
import { clientEnv } from '../../lib/engine/nerdctl/client.ts';
import { enterWords } from '../../lib/engine/nerdctl/rootless.ts';
import { findTool } from '../../lib/engine/tools.ts';
import { sceneOf } from '../system/scene.ts';
import { type ContainerdScene, client, requireContainerd } from './nerdctlScene.ts';
import { makeHome, ownEngine, startDaemon } from './ownDaemon.ts';

export interface RootlessScene extends ContainerdScene {
  /** rootlesskit's folder. */
  readonly kit: string;
  /** Host pid of its first process inside. */
  kitPid(): number;
}

const socket = '/run/containerd/containerd.sock';

// In a /run of its own, as containerd-rootless.sh has it.
const inside = 'rm -rf /run/containerd && mkdir -p /run/containerd && exec "$@"';

/** Command lines of the processes of a user namespace. */
function inNamespace(wanted: string): string[] {
  const pids = readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const is = readlinkSync(`/proc/${pid}/ns/user`) === wanted;
      return is ? [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim()] : [];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}

function requireKit(): string {
  const file = findTool('rootlesskit');
  if (file === undefined) throw new Error('rootlesskit is missing: apt-get install rootlesskit');
  return file;
}

/** Starts rootlesskit and containerd in it; they end, and all they wrote goes, at the end of the file. Throws when containerd does not answer. */
export async function startRootless(): Promise<RootlessScene> {
  const containerd = requireContainerd();
  const scene = sceneOf('plain user');
  const kit = join(scene.home, 'kit');
  const home = makeHome('rootless', () => JSON.stringify({ engines: { nerdctl: { client, rootlesskit: kit } } }));
  const own = join(scene.home, 'containerd');
  const config = scene.write(
    'containerd.toml',
    [
      'version = 2',
      `root = "${join(own, 'root')}"`,
      'state = "/run/containerd"',
      'disabled_plugins = ["io.containerd.grpc.v1.cri"]',
      `[grpc]\naddress = "${socket}"`,
    ].join('\n'),
  );
  const kitPid = () => Number(readFileSync(join(kit, 'child_pid'), 'utf8'));
  const data = join(kit, 'cofferdam');
  const common = ['--address', socket, '--data-root', data, '--namespace', 'cofferdam'];
  const nerdctl = async (...args: string[]) => {
    const who = [`--reuid=${scene.uid}`, `--regid=${scene.gid}`, '--init-groups'];
    const words = [...who, ...enterWords('nsenter', { pid: kitPid() }), client, ...common, ...args];
    return (await runTool('setpriv', words, { timeoutMs: 20_000, env: clientEnv })).stdout;
  };
  const folders = ['/etc', '/run', '/var/lib'].map((folder) => `--copy-up=${folder}`);
  const options = [`--state-dir=${kit}`, '--net=host', ...folders, '--propagation=rslave'];
  const daemon = await startDaemon({
    scene,
    command: [requireKit(), ...options, 'sh', '-c', inside, 'sh', containerd, '--config', config],
    home,
    ask: () => nerdctl('ps'),
  });
  const containersOf = (id: string) => nerdctl('ps', '--all', '--quiet', '--filter', `name=cofferdam-${id}`);
  return {
    ...ownEngine({ engine: 'nerdctl', home, scene, containersOf }),
    home,
    daemon,
    containers: join(data, 'containers'),
    // One that has ended and waits for its parent has no command line.
    processes: () => inNamespace(readlinkSync(`/proc/${kitPid()}/ns/user`)).filter((command) => command !== ''),
    nerdctl,
    kit,
    kitPid,
  };
}
