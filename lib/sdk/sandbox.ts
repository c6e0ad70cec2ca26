// Owns the library's handle of a sandbox that lives on.
import { parseDuration } from '../base/units.ts';
import { Capture } from '../run/capture.ts';
import { createSandbox as create } from '../run/life/create.ts';
import { describeAll, describeSandbox, type SandboxDescription } from '../run/life/describe.ts';
import { execInSandbox } from '../run/life/exec.ts';
import { compileFilters } from '../run/life/filter.ts';
import { removeSandbox } from '../run/life/remove.ts';
import { findSandbox, type Sandbox as Kept } from '../run/life/sandbox.ts';
import { parseSignal } from '../run/life/signal.ts';
import { startSandbox } from '../run/life/start.ts';
import { killSandbox, stopSandbox } from '../run/life/stop.ts';
import { waitSandbox } from '../run/life/wait.ts';
import type { Host } from '../run/prepare.ts';
import { completeDue } from '../run/receipt/complete.ts';
import type { RunRecord } from '../run/result.ts';
import { type AttachOptions, type AttachResult, attachCaller } from './attach.ts';
import { type HostOptions, hostOf, pairs } from './host.ts';

export interface CreateOptions extends HostOptions {
  /** Name of a profile, or a path with a `/`. */
  readonly profile: string;
  /** Program and arguments; default: one that only waits, to be executed into. */
  readonly command?: readonly string[];
  /** a-z 0-9 _ . -; chosen when left out. */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** `DIR`, `DIR:ro`, `DIR:rw` or `DIR:copy`. Default: an empty scratch folder. */
  readonly workspace?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether its program takes input, from whoever is attached; otherwise it has an empty one. */
  readonly interactive?: boolean;
  /** Whether its program gets a terminal of its own (crun). */
  readonly tty?: boolean;
  /** `8000`, `NAME:8000` or `8080:8000`, each: a registered port of the host that leads inside (docs/ports.md). */
  readonly publish?: readonly string[];
  /** `proxy`: what firewall.yaml allows may be reached; `tool`: whose egress rules apply beside those of the profile. */
  readonly network?: 'none' | 'proxy';
  readonly tool?: string;
  /** As on the command line: `2h`, `10m`, `512m`, `0.5`, `64`. */
  readonly ttl?: string;
  readonly idle?: string;
  readonly memory?: string;
  readonly cpus?: string;
  readonly pids?: string;
  readonly engine?: 'crun' | 'podman' | 'nerdctl' | 'docker';
}

export interface ExecOptions {
  /** Further environment variables; what looks like a secret is refused. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute folder inside. Default: that of the profile. */
  readonly workdir?: string;
  /** Such as `30s`; then all that the command started is ended, and the sandbox lives. */
  readonly timeout?: string;
  /** Bytes for its standard input. Default: empty. */
  readonly stdin?: Uint8Array | string;
  /** Bytes kept of stdout and of stderr, each. Default 1 MiB. */
  readonly mostOutput?: number;
  /** Aborting ends the execution. */
  readonly signal?: AbortSignal;
}

export interface ExecResult {
  /** 124: timeout; 125: ours; 126 and 127: it could not be executed. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly truncated: { readonly stdout: boolean; readonly stderr: boolean };
}

/** A sandbox that lives on without this process. Every method looks at the host anew: another process may use it, too. */
export class Sandbox {
  readonly id: string;
  readonly name: string;
  readonly #host: Host;

  constructor({ id, name }: Pick<Kept, 'id' | 'name'>, host: Host) {
    this.id = id;
    this.name = name;
    this.#host = host;
  }

  #find(): Kept {
    return findSandbox(this.#host.paths, this.id);
  }

  /** Starts it; one that runs is left as it is. */
  async start(): Promise<void> {
    await startSandbox(this.#find(), this.#host);
  }

  /** Runs a command in it to its end. Throws SANDBOX_STATE when it does not run. */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const { env, workdir, timeout, stdin, mostOutput = 1 << 20, signal = this.#host.signal } = options;
    const output = { stdout: new Capture(mostOutput), stderr: new Capture(mostOutput) };
    const exitCode = await execInSandbox(this.#host.paths, this.#find(), {
      argv: command,
      user: undefined,
      env: pairs(env),
      workdir,
      timeoutMs: timeout === undefined ? undefined : parseDuration(timeout),
      stdin: stdin === undefined ? false : Buffer.from(stdin),
      output,
      terminal: false,
      detached: false,
      signal,
    });
    const { stdout, stderr } = output;
    const truncated = { stdout: stdout.truncated, stderr: stderr.truncated };
    return { exitCode, stdout: stdout.text(), stderr: stderr.text(), truncated };
  }

  /**
   * Passes on what its program writes, and what is given to it, until it ends or `signal` is aborted; several may be attached at once. What is
   * written is in its log as well. Throws SANDBOX_STATE when it does not run or takes no input, RUN_LOST when it was killed from outside,
   * and whatever the functions and the input given throw.
   */
  async attach(options: AttachOptions = {}): Promise<AttachResult> {
    return attachCaller(this.#find(), this.#host, options);
  }

  /** TERM, and KILL after `timeout` (default `2s`); one that does not run is left as it is. */
  async stop(timeout = '2s'): Promise<void> {
    await stopSandbox(this.#host.paths, this.#find(), parseDuration(timeout));
    await completeDue(this.#host, Date.now());
  }

  /** Sends a signal such as `USR1` to its program. */
  async kill(signal = 'KILL'): Promise<void> {
    await killSandbox(this.#host.paths, this.#find(), parseSignal(signal));
  }

  /** Waits for its end. */
  async wait(): Promise<RunRecord> {
    return waitSandbox(this.#host.paths, this.#find(), this.#host.signal);
  }

  inspect(): SandboxDescription {
    return describeSandbox(this.#host.paths, this.#find());
  }

  /** Removes it; `force` kills it first. Its receipts stay. */
  async remove({ force = false }: { readonly force?: boolean } = {}): Promise<void> {
    await removeSandbox(this.#find(), this.#host, force);
  }
}

/** Makes a sandbox, which is not started. Throws CofferdamError when it is refused, and nothing of it is left then. */
export async function createSandbox(options: CreateOptions): Promise<Sandbox> {
  const host = hostOf(options);
  const { profile, workspace, name, command = [], ttl, idle, memory, cpus, pids, engine, publish } = options;
  const { network, tool, interactive = false, tty = false } = options;
  const lists = { publish, env: pairs(options.env), labels: pairs(options.labels) };
  const overrides = { memory, cpus, pids, engine, network, tool, ...lists };
  const request = { profile, workspace, name, command, ttl, idle, overrides, interactive, tty };
  return new Sandbox(await create(request, host), host);
}

/** The sandbox with this name, id, or beginning of an id. Throws SANDBOX_UNKNOWN. */
export function openSandbox(text: string, options: HostOptions): Sandbox {
  const host = hostOf(options);
  return new Sandbox(findSandbox(host.paths, text), host);
}

/**
 * All sandboxes of this user that match filters such as `label=a=b`, `status=running`, oldest first. One that cannot be read
 * is told to `notice` and left out.
 */
export function listSandboxes(options: HostOptions & { readonly filters?: readonly string[] }): SandboxDescription[] {
  const matches = compileFilters(options.filters ?? []);
  const { paths, notice } = hostOf(options);
  const { all, unreadable } = describeAll(paths);
  for (const { id, error } of unreadable) notice(`${id} is left out: ${error.message}`);
  return all.filter(matches).map(({ described }) => described);
}
