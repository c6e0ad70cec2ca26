// Owns one run from Node, whole: prepare, copy or mount the workspace, invoke, set aside, and the result object.
import { CofferdamError } from '../base/errors.ts';
import { checkId, newRunId } from '../base/ids.ts';
import { locateCgroups } from '../engine/cgroup.ts';
import { dropArtifactsFolder, prepareArtifactsFolder } from './artifactsFolder.ts';
import { type Invoked, invokePlan } from './invoke.ts';
import { placeWorkspace } from './placeWorkspace.ts';
import { type Host, type PlanWish, type Prepared, preparePlan } from './prepare.ts';
import { reapRuns } from './reap.ts';
import { type RunResult, signalOf, statusOf } from './result.ts';
import type { SetAside } from './setAside.ts';

export interface RunRequest extends Omit<PlanWish, 'collectsArtifacts'> {
  readonly argv: readonly string[];
  readonly id?: string | undefined;
  readonly taskId?: string | undefined;
  readonly jobId?: string | undefined;
  /** Folder that artifacts are copied to; new or empty. */
  readonly artifacts?: string | undefined;
  readonly output: 'inherit' | 'capture';
  readonly stdin: 'none' | 'inherit' | Uint8Array;
}

function toResult(invoked: Invoked, prepared: Prepared, setAside: readonly SetAside[]): RunResult {
  const { record } = invoked;
  const { profile } = prepared;
  return {
    id: record.id,
    status: statusOf(record),
    exitCode: record.exitCode,
    signal: signalOf(record.exitCode),
    reason: record.reason,
    startedAt: new Date(record.startedMs).toISOString(),
    endedAt: new Date(record.endedMs).toISOString(),
    durationMs: record.endedMs - record.startedMs,
    stdout: invoked.stdout,
    stderr: invoked.stderr,
    truncated: record.truncated,
    limits: record.limits,
    artifacts: invoked.artifacts,
    artifactsRefused: invoked.artifactsRefused,
    artifactsRefusedMore: invoked.artifactsRefusedMore,
    egress: { allowed: 0, denied: 0 },
    receipt: null,
    labels: profile.labels,
    workspace: { copy: profile.workspace.mode === 'copy', setAside },
    error: null,
  };
}

async function findArtifactsFolder(request: RunRequest, { workspace, profile }: Prepared, host: Host) {
  const { artifacts: text } = request;
  if (text === undefined) return undefined;
  const writable = profile.workspace.mode === 'rw' ? workspace?.source : undefined;
  const { cwd, paths, uid: callerUid, home } = host;
  return prepareArtifactsFolder({ text, cwd, paths, callerUid, home, writable });
}

/**
 * Runs a command to its end and gives the result. Whatever the program does is a result; throws CofferdamError when the
 * request is refused or the sandbox cannot be started, and then nothing of it is left.
 */
export async function executeRun(request: RunRequest, host: Host): Promise<RunResult> {
  const id = request.id === undefined ? newRunId() : checkId(request.id, '--id');
  const taskId = request.taskId === undefined ? undefined : checkId(request.taskId, '--task-id');
  const jobId = request.jobId === undefined ? undefined : checkId(request.jobId, '--job-id');
  const prepared = await preparePlan({ ...request, collectsArtifacts: request.artifacts !== undefined }, host);
  const artifacts = await findArtifactsFolder(request, prepared, host).catch((error: unknown) => {
    prepared.workspace?.claim.release();
    throw error;
  });
  const undoFolder = () => (artifacts === undefined ? undefined : dropArtifactsFolder(artifacts));
  const around = await placeWorkspace(prepared, id, host).catch((error: unknown) => {
    undoFolder();
    throw error;
  });
  const bindings = {
    id,
    taskId,
    jobId,
    artifacts: artifacts?.folder,
    argv: request.argv,
    workspace: around.source,
    timeoutMs: prepared.profile.limits.timeout,
  };
  const { output, stdin } = request;
  let invoked: Invoked;
  try {
    invoked = await invokePlan({
      plan: prepared.plan,
      callerUid: host.uid,
      output,
      stdin,
      signal: host.signal,
      bindings,
    });
  } catch (error) {
    // Killed from outside: the guest must be gone before anybody looks at what it left.
    await reapRuns(prepared.folders, locateCgroups(host.uid), Date.now());
    // Refused by the launcher: no program ran, so a copy holds nobody's work.
    if (error instanceof CofferdamError && error.code !== 'RUN_LOST') await around.undo();
    else await around.finish();
    undoFolder();
    throw error;
  }
  const setAside = await around.finish();
  return toResult(invoked, prepared, setAside);
}
