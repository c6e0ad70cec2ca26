// Owns executing a plan from Node: starts its launch script, captures within bounds, reads the record back.
import { catalogue, type ErrorCode } from '../base/catalogue.ts';
import { CofferdamError } from '../base/errors.ts';
import { streamTool, systemPath } from '../base/exec.ts';
import { printable } from '../base/printable.ts';
import { requireTool } from '../engine/tools.ts';
import { cancelOn, endedBy } from './cancel.ts';
import { Capture } from './capture.ts';
import type { Collected } from './collect.ts';
import type { Plan } from './plan.ts';
import { type PublishedPort, publishWord } from './ports/publish.ts';
import { type Artifact, parseRecord, type RunRecord } from './result.ts';

export interface Bindings {
  readonly id: string;
  readonly argv: readonly string[];
  readonly taskId?: string | undefined;
  readonly jobId?: string | undefined;
  /** Absolute host folder, checked by lib/run/workspace.ts. */
  readonly workspace?: string | undefined;
  /** Absolute host folder with the socket of the way out. */
  readonly wayOut?: string | undefined;
  /** Absolute folder that artifacts are copied to. */
  readonly artifacts?: string | undefined;
  /** Milliseconds. */
  readonly timeoutMs?: number | undefined;
  /** Of the profile, each with its place on the host. */
  readonly ports?: readonly PublishedPort[];
}

export interface InvokeOptions {
  readonly plan: Plan;
  readonly bindings: Bindings;
  readonly callerUid: number;
  /** `inherit`: relayed to our own streams, not cut. `capture`: kept, cut at the profile's bounds. */
  readonly output: 'inherit' | 'capture';
  /** Whether our stdin, or these bytes, go to the program; by default it has an empty one. */
  readonly stdin: 'none' | 'inherit' | Uint8Array;
  /** Whether the program gets a terminal, used through ours: with `inherit` alone. */
  readonly terminal?: boolean;
  /** Told each piece of captured standard output. */
  readonly onOutput?: (chunk: Uint8Array) => void;
  /** Aborting cancels the run: TERM, then KILL. */
  readonly signal: AbortSignal;
}

export interface Invoked {
  readonly record: RunRecord;
  readonly stdout: string;
  readonly stderr: string;
  readonly artifacts: readonly Artifact[];
  readonly artifactsRefused: readonly { path: string; why: string }[];
  readonly artifactsRefusedMore: number;
}

function bindingWords({ plan, bindings, output, stdin, terminal }: InvokeOptions): string[] {
  const { id, taskId, jobId, workspace, wayOut, artifacts, timeoutMs, argv, ports = [] } = bindings;
  const captured = output === 'capture';
  const words: Record<string, string | number | undefined> = {
    id,
    task: taskId,
    job: jobId,
    workspace,
    way_out: wayOut,
    artifacts,
    timeout: timeoutMs,
    stdin: stdin === 'none' ? undefined : 1,
    terminal: terminal === true ? 1 : undefined,
    stdout_max: captured ? plan.profile.output.stdout : undefined,
    stderr_max: captured ? plan.profile.output.stderr : undefined,
    result_fd: 3,
    parent: process.pid,
  };
  const given = Object.entries(words).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]));
  return [...given, ...ports.map(publishWord), '--', ...argv];
}

// With artifacts the run has a mount namespace of its own, in which the launch script mounts their tmpfs; for a plain
// user inside a user namespace that holds the caller and all its subordinate ids.
function command(options: InvokeOptions): { file: string; args: string[] } {
  const shell = requireTool('sh', 'dash');
  const launch = [options.plan.launch, ...bindingWords(options)];
  if (options.bindings.artifacts === undefined) return { file: shell, args: launch };
  const { enter } = options.plan;
  const outer = options.callerUid === 0 || enter !== undefined ? [] : ['--user', '--map-root-user', '--map-auto'];
  const unshare = requireTool('unshare', 'util-linux');
  const [file = unshare, ...before] = [...(enter === undefined ? [] : [shell, enter, '']), unshare];
  return {
    file,
    // The launch script stays here until the artifacts are out; it must end when we do.
    args: [
      ...before,
      ...outer,
      '--mount',
      '--propagation',
      'private',
      requireTool('setpriv', 'util-linux'),
      '--pdeathsig',
      'TERM',
      shell,
      ...launch,
    ],
  };
}

const mostManifest = 64 << 20;

function readManifest(text: string): Pick<Invoked, 'artifacts' | 'artifactsRefused' | 'artifactsRefusedMore'> {
  if (text === '') return { artifacts: [], artifactsRefused: [], artifactsRefusedMore: 0 };
  // Written by our own collector, on a pipe that nothing of the guest's can reach.
  const { artifacts, refused, refusedMore } = JSON.parse(text) as Collected;
  return { artifacts, artifactsRefused: refused, artifactsRefusedMore: refusedMore };
}

/** Throws what the launch script said in place of a record: `fail<TAB>CODE<TAB>MESSAGE<TAB>REMEDY`. */
export function refuseFailure(line: string): void {
  const [word, code = '', message = '', remedy = ''] = line.split('\t');
  if (word !== 'fail') return;
  const known = code in catalogue ? (code as ErrorCode) : 'LAUNCH_FAILED';
  throw new CofferdamError(known, printable(message, 600), { remedy: printable(remedy, 600) });
}

/**
 * Runs a plan to its end. A non-zero exit, a timeout or an OOM kill of the program is a result. Throws LAUNCH_FAILED when
 * the sandbox could not be started or with the launcher's own code (ID_IN_USE, LIMIT_UNENFORCEABLE …); RUN_LOST when somebody killed the supervisor.
 */
export async function invokePlan(options: InvokeOptions): Promise<Invoked> {
  const { plan, output, stdin, signal } = options;
  const stdout = new Capture(plan.profile.output.stdout);
  const stderr = new Capture(plan.profile.output.stderr + 4096);
  const result = new Capture(mostManifest);
  const { file, args } = command(options);
  const child = streamTool(file, args, {
    env: { PATH: systemPath },
    // A Ctrl-C reaches the supervisor once, through us, and not a second time from the terminal. The size of a terminal is
    // told to the processes of its session only.
    ...(options.terminal === true ? {} : { detached: 'alone' as const }),
    stdin: stdin === 'none' ? 'ignore' : stdin,
    stdout:
      output === 'inherit'
        ? 'inherit'
        : (chunk) => {
            stdout.add(chunk);
            options.onOutput?.(chunk);
          },
    stderr: output === 'inherit' ? 'inherit' : (chunk) => stderr.add(chunk),
    result: (chunk) => result.add(chunk),
  });
  const release = cancelOn(signal, child);
  const ended = await child.ended.finally(release);
  const [line = '', ...rest] = result.text().split('\n');
  refuseFailure(line);
  // The launcher takes back what it made and says why; only a kill leaves neither record nor reason.
  if (line === '' && ended.signal !== undefined) throw endedBy(`the run ${options.bindings.id}`, ended.signal, signal);
  if (line === '') {
    const why = ended.startError ?? `the launcher ended with ${ended.exitCode} and no record`;
    throw new CofferdamError('LAUNCH_FAILED', printable(why, 600));
  }
  const record = parseRecord(line);
  return { record, stdout: stdout.text(), stderr: stderr.text(), ...readManifest(rest.join('\n').trim()) };
}
