// Owns the public library: one function, its request and its result. The only file that re-exports.
import { executeRun } from '../run/execute.ts';
import type { RunResult } from '../run/result.ts';
import { type HostOptions, hostOf, pairs } from './host.ts';

export { CofferdamError } from '../base/errors.ts';
export type { SandboxDescription } from '../run/life/describe.ts';
export type { TerminalSize } from '../run/life/typing.ts';
export type { Artifact, RunRecord, RunResult, RunStatus } from '../run/result.ts';
export type { AttachOptions, AttachResult } from './attach.ts';
export {
  type CreateOptions,
  createSandbox,
  type ExecOptions,
  type ExecResult,
  listSandboxes,
  openSandbox,
  type Sandbox,
} from './sandbox.ts';

export interface RunOptions extends HostOptions {
  /** Name of a profile, or a path with a `/`. */
  readonly profile: string;
  /** Program and arguments; nothing goes through a shell. */
  readonly command: readonly string[];
  /** `DIR`, `DIR:ro`, `DIR:rw` or `DIR:copy`. Default: an empty scratch folder. */
  readonly workspace?: string;
  /** Further environment variables; what looks like a secret is refused. */
  readonly env?: Readonly<Record<string, string>>;
  /** Bytes for the program's standard input. Default: empty. */
  readonly stdin?: Uint8Array | string;
  /** As on the command line: `30s`, `512m`, `0.5`, `64`. */
  readonly timeout?: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly pids?: string;
  readonly engine?: 'crun' | 'podman' | 'nerdctl' | 'docker';
  /** proxy: what firewall.yaml allows may be reached. Default: as the profile says. */
  readonly network?: 'none' | 'proxy';
  /** Id of the tool whose egress rules apply, beside those of the profile. */
  readonly tool?: string;
  /** `8000`, `NAME:8000` or `8080:8000`, each: a registered port of the host that leads inside (docs/ports.md). */
  readonly publish?: readonly string[];
  /** Folder that artifacts are copied to; new or empty. */
  readonly artifacts?: string;
  readonly id?: string;
  readonly taskId?: string;
  readonly jobId?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Aborting cancels the run: TERM, KILL after two seconds, status `cancelled`. */
  readonly signal?: AbortSignal;
}

/**
 * Runs one command in a fresh sandbox. Its exit status, a timeout or an OOM kill are results. Throws CofferdamError when
 * the request is refused or the sandbox cannot be started (docs/errors.md); nothing of it is left then.
 */
export async function run(options: RunOptions): Promise<RunResult> {
  const { profile, command, workspace, stdin, timeout, memory, cpus, pids, engine } = options;
  const { id, taskId, jobId, artifacts, network, tool, publish } = options;
  return executeRun(
    {
      profile,
      overrides: {
        ...{ memory, cpus, pids, timeout, engine, network, tool, publish },
        env: pairs(options.env),
        labels: pairs(options.labels),
      },
      workspace,
      argv: command,
      id,
      taskId,
      jobId,
      artifacts,
      output: 'capture',
      stdin: stdin === undefined ? 'none' : Buffer.from(stdin),
    },
    hostOf(options),
  );
}
