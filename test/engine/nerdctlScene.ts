// Owns a containerd of a test's own, on its own socket, root and state, and nerdctl that asks it.
import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap from 'tap';
import { runTool } from '../../lib/base/exec.ts';
import { clientEnv } from '../../lib/engine/nerdctl/client.ts';
import { findTool } from '../../lib/engine/tools.ts';
import type { Started } from '../system/scene.ts';
import { makeHome, type OwnEngine, ownEngine, startDaemon } from './ownDaemon.ts';

export interface NerdctlScene extends OwnEngine {
  readonly socket: string;
  readonly daemon: Started;
  /** Where nerdctl keeps what it knows of our containers. */
  readonly containers: string;
  /** `nerdctl ARGUMENTS` at our daemon: what it prints. */
  nerdctl(...args: string[]): Promise<string>;
}

/** Built by .ci/install-nerdctl. */
const client = '/var/cache/cofferdam-tests/nerdctl-v2.2.1/nerdctl';

function requireTools(): string {
  if (!existsSync(client)) throw new Error(`${client} is missing: .ci/install-nerdctl`);
  const file = findTool('containerd');
  if (file === undefined) throw new Error('containerd is missing: apt-get install containerd');
  return file;
}

// The shim keeps its state there whatever containerd's own folders are; an empty one is nobody's.
function removeEmpty(folder: string): void {
  if (existsSync(folder) && readdirSync(folder).length === 0) rmdirSync(folder);
}

/** Starts containerd; it ends, and all it wrote goes, at the end of the file. Throws when it does not answer. */
export async function startContainerd(): Promise<NerdctlScene> {
  const containerd = requireTools();
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
  tap.teardown(() => removeEmpty('/run/containerd/runc/cofferdam'));
  const daemon = await startDaemon({
    command: [containerd, '--config', config],
    home,
    ask: () => nerdctl('ps'),
  });
  const containersOf = (id: string) => nerdctl('ps', '--all', '--quiet', '--filter', `name=cofferdam-${id}`);
  return {
    ...ownEngine('nerdctl', home, containersOf),
    socket,
    daemon,
    containers: join(dataRoot, 'containers'),
    nerdctl,
  };
}
