// Owns asking a docker daemon from Node: which socket, which environment, and what its silence means.
import { CofferdamError, messageOf } from '../../base/errors.ts';
import { runTool } from '../../base/exec.ts';
import { printable } from '../../base/printable.ts';

export interface DockerClient {
  /** Absolute path of the client. */
  readonly path: string;
  /** Absolute path of the daemon's socket: of the host's configuration, never of the environment. */
  readonly socket: string;
}

export interface AskOptions {
  /** Milliseconds. Default 20,000. */
  readonly timeoutMs?: number;
  /** An open file that the client reads. */
  readonly stdin?: number;
}

// A client's own configuration could name another daemon, or proxies that go into every container.
const noConfig = { HOME: '/nonexistent', DOCKER_CONFIG: '/nonexistent' };

/** What `docker ARGUMENTS` prints. Throws TOOL_FAILED with what it said. */
export async function askDocker(
  { path, socket }: DockerClient,
  args: readonly string[],
  { timeoutMs = 60_000, stdin }: AskOptions = {},
): Promise<string> {
  const options = { timeoutMs, env: noConfig, ...(stdin === undefined ? {} : { stdin }) };
  return (await runTool(path, ['--host', `unix://${socket}`, ...args], options)).stdout;
}

/** The same as JSON. Throws ENGINE_MISSING when the daemon does not answer. */
export async function inspectDaemon(client: DockerClient): Promise<unknown> {
  const remedy = `start it: systemctl start docker; or set engines.docker.socket in the host configuration`;
  let text: string;
  try {
    text = await askDocker(client, ['info', '--format', '{{json .}}']);
  } catch (cause) {
    const why = printable(messageOf(cause), 300);
    throw new CofferdamError('ENGINE_MISSING', `docker's daemon does not answer at ${client.socket}: ${why}`, {
      remedy,
      cause,
    });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CofferdamError('ENGINE_MISSING', `docker's daemon at ${client.socket} does not say what it is`, {
      remedy,
      cause,
    });
  }
}
