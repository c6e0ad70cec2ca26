// Owns `sandbox exec` where bin/sandbox leaves it to Node: refuses what cannot be, and enters by the entrance as bin/sandbox does.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError } from '../../base/errors.ts';
import { type StreamOptions, streamTool, systemPath } from '../../base/exec.ts';
import type { Paths } from '../../base/paths.ts';
import { requireTool } from '../../engine/tools.ts';
import { parseEnvironment } from '../../profile/pairs.ts';
import { cancelOn, endedBy } from '../cancel.ts';
import type { Capture } from '../capture.ts';
import { liveRunOf, makeEntrance, readProcess, type SandboxProcess } from './entrance.ts';
import type { Sandbox } from './sandbox.ts';
import { isLive, readState } from './state.ts';

export interface ExecRequest {
  readonly argv: readonly string[];
  /** `UID[:GID]`. */
  readonly user: string | undefined;
  /** `NAME=value`, each. */
  readonly env: readonly string[];
  /** Absolute folder inside. */
  readonly workdir: string | undefined;
  /** undefined: none but the sandbox's own. */
  readonly timeoutMs: number | undefined;
  /** Our own, these bytes, or none. */
  readonly stdin: boolean | Uint8Array;
  /** Takes what the command writes; undefined: it goes to our own streams. */
  readonly output?: { readonly stdout: Capture; readonly stderr: Capture };
  readonly terminal: boolean;
  readonly detached: boolean;
  /** Aborting ends the execution. */
  readonly signal: AbortSignal;
}

function refuseState({ name }: Sandbox, status: string): CofferdamError {
  const remedies: Readonly<Record<string, string>> = {
    paused: `sandbox unpause ${name}`,
    lost: `free what it left: sandbox gc; start it again: sandbox start ${name}`,
  };
  return new CofferdamError('SANDBOX_STATE', `${name} does not run: it is ${status}`, {
    remedy: remedies[status] ?? `sandbox start ${name}`,
  });
}

/** A sandbox maps one user beside root, who is nobody's to be (DESIGN.md, The boundary). */
function checkUser(wish: string | undefined, { user }: SandboxProcess): void {
  if (wish === undefined || wish === `${user.uid}` || wish === `${user.uid}:${user.gid}`) return;
  const [uid, gid = user.gid] = wish.split(':');
  if (uid === `${user.uid}` && gid === user.gid) return;
  throw new CofferdamError('VALUE_INVALID', `--user: this sandbox has one user, ${user.uid}:${user.gid}`, {
    remedy: `leave --user out, or make a sandbox whose profile names another (user.uid)`,
  });
}

function checkWorkdir(workdir: string | undefined): void {
  if (workdir === undefined || (workdir.startsWith('/') && !workdir.includes('\0'))) return;
  throw new CofferdamError('VALUE_INVALID', '--workdir is not an absolute path', {
    remedy: 'name a folder inside the sandbox, such as /workspace',
  });
}

function mergeEnvironment(own: readonly string[], words: readonly string[]): string[] {
  const given = parseEnvironment(words);
  const names = Object.keys(given);
  const kept = own.filter((word) => !names.includes(word.slice(0, word.indexOf('='))));
  return [...kept, ...names.map((name) => `${name}=${given[name] ?? ''}`)];
}

/** The entrance as it is, unless we are newer than what it was made with. */
async function openEntrance(paths: Paths, sandbox: Sandbox): Promise<string> {
  const file = join(liveRunOf(paths, sandbox).runDirectory, 'entrance');
  const stamp = statSync(join(paths.install, 'dist/build.json'), { throwIfNoEntry: false });
  const made = existsSync(file) ? statSync(file).mtimeMs : 0;
  return stamp !== undefined && made > stamp.mtimeMs ? file : makeEntrance(paths, sandbox);
}

function bindings(request: ExecRequest, own: SandboxProcess): string[] {
  const { detached, env, stdin, terminal, timeoutMs, workdir } = request;
  return [
    ...(stdin === false ? [] : ['stdin=1']),
    ...(terminal ? ['terminal=1'] : []),
    ...(detached ? ['detach=1'] : [`parent=${process.pid}`]),
    ...(timeoutMs === undefined ? [] : [`timeout=${timeoutMs}`]),
    ...(workdir === undefined ? [] : [`cwd=${workdir}`]),
    ...(env.length === 0 ? [] : mergeEnvironment(own.env, env).map((word) => `env=${word}`)),
  ];
}

/**
 * Runs a command in a live sandbox and gives its exit status (124: timeout, 125: ours). Detached, it prints the id
 * of the execution and goes on without us. Throws SANDBOX_STATE, VALUE_INVALID, ENV_INVALID, ENV_SECRET, ENGINE_CANNOT, DISK_FULL.
 */
export async function execInSandbox(paths: Paths, sandbox: Sandbox, request: ExecRequest): Promise<number> {
  const state = readState(paths, sandbox);
  if (!isLive(state) || state.status === 'paused') throw refuseState(sandbox, state.status);
  checkWorkdir(request.workdir);
  const entrance = await openEntrance(paths, sandbox);
  const own = readProcess(liveRunOf(paths, sandbox));
  checkUser(request.user, own);
  const words = ['-euc', '. "$0"; enter_sandbox "$@"', entrance, ...bindings(request, own), '--', ...request.argv];
  const { stdin, output } = request;
  const options: StreamOptions = {
    env: { PATH: systemPath },
    stdin: typeof stdin !== 'boolean' ? stdin : stdin ? 'inherit' : 'ignore',
    stdout: output === undefined ? 'inherit' : (chunk) => output.stdout.add(chunk),
    stderr: output === undefined ? 'inherit' : (chunk) => output.stderr.add(chunk),
    // A terminal's size changes are told to the processes of its session only.
    ...(request.terminal ? {} : { detached: 'alone' as const }),
  };
  const child = streamTool(requireTool('sh', 'dash'), words, options);
  const ended = await child.ended.finally(cancelOn(request.signal, child));
  if (ended.exitCode !== undefined) return ended.exitCode;
  throw endedBy('the execution', ended.signal, request.signal);
}
