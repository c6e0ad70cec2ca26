// Owns one run from Node, whole: prepare, copy or mount the workspace, invoke, set aside, and the result object.
import { CofferdamError, messageOf } from '../base/errors.ts';
import { checkId, newRunId } from '../base/ids.ts';
import { findCgroups } from '../engine/cgroupPlace.ts';
import { dropArtifactsFolder, prepareArtifactsFolder } from './artifactsFolder.ts';
import { runFolders } from './folders.ts';
import { type Invoked, invokePlan } from './invoke.ts';
import { placeWorkspace } from './placeWorkspace.ts';
import { type PublishedPort, publishedText, publishPorts } from './ports/publish.ts';
import { type Host, type PlanWish, type Prepared, preparePlan } from './prepare.ts';
import { reapRuns } from './reap.ts';
import { awaitRun } from './receipt/awaited.ts';
import type { RunDetails } from './receipt/build.ts';
import { checkKey, completeRuns } from './receipt/complete.ts';
import { findLost } from './receipt/lost.ts';
import { type RunResult, signalOf, statusOf } from './result.ts';
import type { SetAside } from './setAside.ts';
import { closeWay, type Egress, openWay } from './wayOut.ts';

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

type Ran = Omit<RunResult, 'receipt' | 'receiptProblem'>;

/** What became of a run beside its program: what led in, what was set aside, what was let out. */
interface Around {
  readonly ports: readonly PublishedPort[];
  readonly setAside: readonly SetAside[];
  readonly egress: Egress | undefined;
}

function toResult(invoked: Invoked, prepared: Prepared, { ports, setAside, egress }: Around): Ran {
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
    egress: { allowed: egress?.allowed ?? 0, denied: egress?.denied ?? 0 },
    ...(egress?.problem === undefined ? {} : { egressProblem: egress.problem }),
    ports,
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

function describeRun(
  request: RunRequest,
  invoked: Invoked,
  prepared: Prepared,
  { ports, setAside, egress }: Around,
): RunDetails {
  const { profile, plan } = prepared;
  const { record, artifacts, artifactsRefused, artifactsRefusedMore } = invoked;
  return {
    record,
    argv: request.argv,
    labels: profile.labels,
    timeoutMs: profile.limits.timeout,
    artifacts: request.artifacts === undefined ? undefined : artifacts,
    artifactsRefused: artifactsRefused.length + artifactsRefusedMore,
    workspaceMode: profile.workspace.mode,
    setAside,
    egress,
    ports,
    weaknesses: plan.engine.weaknesses,
  };
}

// The program has run: that its receipt cannot be made now does not unmake the result. The line in runs.log stays due.
async function makeReceipt(host: Host, details: RunDetails): Promise<Pick<RunResult, 'receipt' | 'receiptProblem'>> {
  try {
    const made = await completeRuns(host, { now: Date.now(), details: [details] });
    const own = made.findLast(({ id }) => id === details.record.id);
    if (own === undefined) return { receipt: null, receiptProblem: 'the run left no line in runs.log' };
    return { receipt: { file: own.file, digest: own.digest } };
  } catch (error) {
    return { receipt: null, receiptProblem: messageOf(error) };
  }
}

/**
 * Runs a command to its end and gives the result. Whatever the program does is a result; throws CofferdamError when the
 * request is refused or the sandbox cannot be started, and then nothing of it is left.
 */
export async function executeRun(request: RunRequest, host: Host): Promise<RunResult> {
  const id = request.id === undefined ? newRunId() : checkId(request.id, '--id');
  checkKey(host);
  const awaited = awaitRun(runFolders(host.paths).awaited, id);
  try {
    const { result, details } = await runOnce(request, id, host);
    return { ...result, ...(await makeReceipt(host, details)) };
  } finally {
    awaited.release();
  }
}

async function runOnce(request: RunRequest, id: string, host: Host): Promise<{ result: Ran; details: RunDetails }> {
  const taskId = request.taskId === undefined ? undefined : checkId(request.taskId, '--task-id');
  const jobId = request.jobId === undefined ? undefined : checkId(request.jobId, '--job-id');
  const prepared = await preparePlan({ ...request, collectsArtifacts: request.artifacts !== undefined }, host);
  const releaseClaim = (error: unknown) => {
    prepared.workspace?.claim.release();
    throw error;
  };
  const ports = await publishPorts(prepared.profile.ports, prepared.plan.profileName, host).catch(releaseClaim);
  const artifacts = await findArtifactsFolder(request, prepared, host).catch(releaseClaim);
  const undoFolder = () => (artifacts === undefined ? undefined : dropArtifactsFolder(artifacts));
  const around = await placeWorkspace(prepared, id, host).catch((error: unknown) => {
    undoFolder();
    throw error;
  });
  const way = await openWay(prepared, id, host.openWayOut).catch(async (error: unknown) => {
    await around.undo();
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
    wayOut: way?.folder,
    timeoutMs: prepared.profile.limits.timeout,
    ports,
  };
  for (const one of ports) host.notice(publishedText(one));
  const { output, stdin, terminal } = request;
  let invoked: Invoked;
  try {
    invoked = await invokePlan({
      plan: prepared.plan,
      callerUid: host.uid,
      output,
      stdin,
      ...(terminal === undefined ? {} : { terminal }),
      signal: host.signal,
      bindings,
    });
  } catch (error) {
    await closeWay(way);
    const lost = findLost(prepared.folders, id);
    // Killed from outside: the guest must be gone before anybody looks at what it left.
    await reapRuns(prepared.folders, findCgroups(host.uid), Date.now());
    // Refused by the launcher: no program ran, so a copy holds nobody's work.
    if (error instanceof CofferdamError && error.code !== 'RUN_LOST') await around.undo();
    else await around.finish();
    undoFolder();
    await completeRuns(host, { now: Date.now(), lost });
    throw error;
  }
  const egress = await closeWay(way);
  const beside = { egress, ports, setAside: await around.finish() };
  return { result: toResult(invoked, prepared, beside), details: describeRun(request, invoked, prepared, beside) };
}
