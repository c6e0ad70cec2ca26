// Owns asking a docker daemon from Node: which socket, which environment, and what its silence means.
import { z } from 'zod';
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

/** An older client says so here, and ends with 0. */
const silentShape = z.object({ ServerErrors: z.array(z.string()).min(1) });

/** `docker info` as JSON. Throws ENGINE_MISSING when the daemon does not answer. */
export async function inspectDaemon(client: DockerClient): Promise<unknown> {
  const fail = (what: string, cause?: unknown) =>
    new CofferdamError('ENGINE_MISSING', `docker's daemon ${what}`, {
      remedy: `start it: systemctl start docker; or set engines.docker.socket in the host configuration`,
      cause,
    });
  const silent = (why: string, cause?: unknown) =>
    fail(`does not answer at ${client.socket}: ${printable(why, 300)}`, cause);
  const text = await askDocker(client, ['info', '--format', '{{json .}}']).catch((cause: unknown) => {
    throw silent(messageOf(cause), cause);
  });
  let said: unknown;
  try {
    said = JSON.parse(text);
  } catch (cause) {
    throw fail(`at ${client.socket} does not say what it is`, cause);
  }
  const read = silentShape.safeParse(said);
  if (read.success) throw silent(read.data.ServerErrors.join('; '));
  return said;
}
