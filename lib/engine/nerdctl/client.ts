// Owns asking containerd through nerdctl from Node: which client, which daemon, which environment, and what silence means.
import { join } from 'node:path';
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { printable } from '../../base/printable.ts';
import type { EngineSettings } from '../types.ts';

export interface NerdctlClient {
  /** Absolute path of nerdctl. */
  readonly path: string;
  readonly settings: EngineSettings['nerdctl'];
  /** Words before each command, which bring it to where containerd is. */
  readonly enter: readonly string[];
}

/** In containerd, so that our containers are seen apart from those of others: `nerdctl --namespace cofferdam ps`. */
export const namespace = 'cofferdam';

// Its own configuration could name another daemon, another folder, another runtime.
export const clientEnv = { HOME: '/nonexistent', NERDCTL_TOML: '/nonexistent/nerdctl.toml' } as const;

/** Options before nerdctl's own command, but for its folder. */
export function clientOptions({ socket }: NerdctlClient['settings']): string[] {
  return ['--address', socket, '--namespace', namespace, '--cgroup-manager', 'cgroupfs'];
}

/** A folder for each container, by its name, because nerdctl leaves a file of every container behind (2.2.1). */
export function containersFolder({ dataRoot }: NerdctlClient['settings']): string {
  return join(dataRoot, 'containers');
}

/** What `nerdctl ARGUMENTS` prints. Throws TOOL_FAILED with what it said. */
export async function askNerdctl({ path, settings, enter }: NerdctlClient, args: readonly string[]): Promise<string> {
  const options = { timeoutMs: 60_000, env: clientEnv };
  const common = [...clientOptions(settings), '--data-root', settings.dataRoot];
  const [file = path, ...words] = [...enter, path];
  return (await runTool(file, [...words, ...common, ...args], options)).stdout;
}

/** `nerdctl version` as JSON. Throws ENGINE_MISSING when containerd does not answer. */
export async function inspectContainerd(client: NerdctlClient): Promise<unknown> {
  const { socket } = client.settings;
  const remedy = 'start it: systemctl start containerd; or set engines.nerdctl.socket in the host configuration';
  let text: string;
  try {
    text = await askNerdctl(client, ['version', '--format', '{{json .}}']);
  } catch (cause) {
    const why = printable(messageOf(cause), 300);
    throw new CofferdamError('ENGINE_MISSING', `containerd does not answer at ${socket}: ${why}`, { remedy, cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CofferdamError('ENGINE_MISSING', `${client.path} does not say which versions there are`, {
      remedy,
      cause,
    });
  }
}
