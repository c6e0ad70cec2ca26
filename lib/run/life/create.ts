// Owns making a sandbox: all that refuses it is found here, its name is claimed, and nothing of it runs yet.
import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { CofferdamError } from '../../base/errors.ts';
import { ensureDirectory } from '../../base/files.ts';
import { formatDuration, parseDuration } from '../../base/units.ts';
import { selectEngine } from '../../engine/select.ts';
import { loadHostConfig } from '../../profile/hostConfig.ts';
import type { Overrides } from '../../profile/overrides.ts';
import type { Profile } from '../../profile/schema.ts';
import { type Host, type Prepared, preparePlan } from '../prepare.ts';
import { checkKey } from '../receipt/complete.ts';
import { checkName, claimName, releaseName } from './names.ts';
import { newSandboxId, type Sandbox, sandboxFolder, writeSandbox } from './sandbox.ts';

export interface CreateRequest {
  /** Name of a profile, or a path with a `/`. */
  readonly profile: string;
  readonly overrides: Pick<
    Overrides,
    'memory' | 'cpus' | 'pids' | 'engine' | 'isolation' | 'network' | 'tool' | 'env' | 'labels' | 'publish'
  >;
  /** `DIR`, `DIR:ro`, `DIR:rw` or `DIR:copy`. */
  readonly workspace?: string | undefined;
  readonly name?: string | undefined;
  /** Whether its program gets a terminal of its own, and takes what attached callers type. */
  readonly tty?: boolean;
  readonly interactive?: boolean;
  /** Program and arguments; empty: one that only waits. */
  readonly command: readonly string[];
  /** Durations as on a command line, `2h`. */
  readonly ttl?: string | undefined;
  readonly idle?: string | undefined;
}

/** What a sandbox runs that exists to be executed into. Every image has it (lib/image/contract.ts). */
const waiting = ['sleep', 'infinity'];

function readLifetime(text: string | undefined, flag: string, most: number): number | null {
  if (text === undefined) return null;
  const ms = parseDuration(text);
  if (ms < 1) throw new CofferdamError('VALUE_INVALID', `${flag}: "${text}" is no time`);
  if (ms <= most) return ms;
  throw new CofferdamError('HOST_FORBIDS', `${flag}: ${text} is above this host's ceiling of ${formatDuration(most)}`, {
    remedy: `choose ${flag} ${formatDuration(most)} or less (limits.timeout of the host configuration)`,
  });
}

/** Of what a profile says about the sandbox itself; labels and lifetimes are the caller's. */
function digestProfile({
  labels: _,
  limits: { timeout: _timeout, idle: _idle, ...limits },
  ...profile
}: Profile): string {
  return `sha256:${createHash('sha256')
    .update(JSON.stringify({ ...profile, limits }))
    .digest('hex')}`;
}

type Asked = Pick<Sandbox, 'request' | 'ttlMs' | 'tty'>;

/** The plan of a sandbox and what identifies it, compiled anew. Claims the workspace. Throws as preparePlan; ENGINE_CANNOT, WORKSPACE_INVALID. */
export async function prepareSandbox({ request, ttlMs, tty }: Asked, host: Host) {
  const { profile, cwd, workspace, overrides } = request;
  // Nothing lives for ever: what names no end has the host's.
  const timeout = `${ttlMs ?? loadHostConfig(host.paths.hostConfig).limits.timeout}ms`;
  const wish = { profile, workspace, overrides: { ...overrides, timeout }, collectsArtifacts: false, terminal: tty };
  const prepared = await preparePlan(wish, { ...host, cwd });
  try {
    await refuseUnfit(prepared);
    const { plan, workspace: folder, profile: asked, cgroups, image } = prepared;
    const { name, path, version } = plan.engine;
    const facts = {
      profileName: plan.profileName,
      profileDigest: digestProfile(asked),
      labels: asked.labels,
      network: { mode: asked.network.mode, tool: asked.network.principal ?? null },
      workspace: { mode: modeOf(asked), source: folder?.source ?? null },
      plan: { digest: plan.digest, directory: plan.directory },
      cgroups: {
        version: cgroups.version,
        folders: cgroups.folders.map((one) => ({ ...one, controllers: [...one.controllers] })),
      },
      engine: { name, path, version },
      image: { name: image.name, version: image.version, digest: image.digest },
    };
    return { prepared, facts };
  } catch (error) {
    prepared.workspace?.claim.release();
    throw error;
  }
}

function modeOf({ workspace: { mode } }: Profile): Sandbox['workspace']['mode'] {
  if (mode === 'task') throw new RangeError(mode);
  return mode;
}

async function refuseUnfit({ plan, profile }: Prepared): Promise<void> {
  const { life } = await selectEngine(plan.engine.name);
  if (life === undefined) {
    throw new CofferdamError('ENGINE_CANNOT', `${plan.engine.name} runs commands, but keeps no sandbox between them`, {
      remedy: 'use --engine crun',
    });
  }
  life.refuse?.(profile);
}

/**
 * Makes a sandbox, which is not started. Throws whatever refuses it, and then nothing of it is left: SANDBOX_NAME, HOST_FORBIDS,
 * ENGINE_CANNOT, WORKSPACE_INVALID and all that preparePlan throws.
 */
export async function createSandbox(request: CreateRequest, host: Host): Promise<Sandbox> {
  const { paths } = host;
  const most = loadHostConfig(paths.hostConfig).limits.timeout;
  const wanted = request.name === undefined ? undefined : checkName(request.name);
  const ttlMs = readLifetime(request.ttl, '--ttl', most);
  const idleMs = readLifetime(request.idle, '--idle', most);
  const {
    memory,
    cpus,
    pids,
    engine,
    isolation,
    network,
    tool,
    env = [],
    labels = [],
    publish = [],
  } = request.overrides;
  const lists = { env: [...env], labels: [...labels], publish: [...publish] };
  const overrides = { memory, cpus, pids, engine, isolation, network, tool, ...lists };
  const asked = { profile: request.profile, cwd: host.cwd, workspace: request.workspace, overrides };
  if (request.command.some((word) => word.includes('\0')))
    throw new CofferdamError('ARGUMENT_INVALID', 'an argument of the command holds a NUL');
  checkKey(host);
  const { tty = false, interactive = false } = request;
  const { prepared, facts } = await prepareSandbox({ request: asked, ttlMs, tty }, host);
  prepared.workspace?.claim.release();
  const id = newSandboxId();
  let name: string | undefined;
  try {
    ensureDirectory(sandboxFolder(paths, id));
    name = await claimName(paths, wanted, id);
    const sandbox: Sandbox = {
      version: 1,
      id,
      name,
      ...facts,
      created: new Date().toISOString(),
      command: request.command.length === 0 ? waiting : [...request.command],
      tty,
      interactive,
      ttlMs,
      idleMs,
      request: asked,
      ports: [],
      run: null,
      starts: 0,
    };
    writeSandbox(paths, sandbox);
    return sandbox;
  } catch (error) {
    if (name !== undefined) releaseName(paths, name, id);
    rmSync(sandboxFolder(paths, id), { recursive: true, force: true });
    throw error;
  }
}
