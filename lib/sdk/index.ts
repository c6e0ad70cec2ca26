// Owns the public library: one function, its request and its result. The only file that re-exports.
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { resolvePaths } from '../base/paths.ts';
import { executeRun } from '../run/execute.ts';
import type { RunResult } from '../run/result.ts';

export { CofferdamError } from '../base/errors.ts';
export type { Artifact, RunResult, RunStatus } from '../run/result.ts';

export interface RunOptions {
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
  readonly engine?: 'crun' | 'podman';
  /** Folder that artifacts are copied to; new or empty. */
  readonly artifacts?: string;
  readonly id?: string;
  readonly taskId?: string;
  readonly jobId?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Aborting cancels the run: TERM, KILL after two seconds, status `cancelled`. */
  readonly signal?: AbortSignal;
  /** Told what a person should know before the start: what a killed run had left, for example. */
  readonly notice?: (text: string) => void;
  /** Environment that HOME and XDG_* are read from. */
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  /** Folder that relative paths start from. */
  readonly cwd: string;
}

const install = dirname(dirname(import.meta.dirname));

function pairs(values: Readonly<Record<string, string>> | undefined): string[] {
  return Object.entries(values ?? {}).map(([name, value]) => `${name}=${value}`);
}

/**
 * Runs one command in a fresh sandbox. Its exit status, a timeout or an OOM kill are results. Throws CofferdamError when
 * the request is refused or the sandbox cannot be started (docs/errors.md); nothing of it is left then.
 */
export async function run(options: RunOptions): Promise<RunResult> {
  const { version } = JSON.parse(readFileSync(join(install, 'package.json'), 'utf8')) as { version: string };
  const { profile, command, workspace, stdin, timeout, memory, cpus, pids, engine, hostEnv, cwd } = options;
  const uid = process.getuid?.() ?? -1;
  const host = {
    paths: resolvePaths({ uid, env: hostEnv, install }),
    uid,
    gid: process.getgid?.() ?? -1,
    cwd,
    home: hostEnv['HOME'],
    version,
    signal: options.signal ?? new AbortController().signal,
    notice: options.notice ?? (() => undefined),
  };
  const { id, taskId, jobId, artifacts } = options;
  return executeRun(
    {
      profile,
      overrides: { memory, cpus, pids, timeout, engine, env: pairs(options.env), labels: pairs(options.labels) },
      workspace,
      argv: command,
      id,
      taskId,
      jobId,
      artifacts,
      output: 'capture',
      stdin: stdin === undefined ? 'none' : Buffer.from(stdin),
    },
    host,
  );
}
