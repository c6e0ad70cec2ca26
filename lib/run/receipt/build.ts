// Owns making the statement about one run from its record, its plan, and what the process that started it knows. Pure.
import { createHash } from 'node:crypto';
import type { PublishedPort } from '../ports/publish.ts';
import { type Artifact, type RunRecord, signalOf, statusOf } from '../result.ts';
import type { SetAside } from '../setAside.ts';
import type { Egress } from '../wayOut.ts';
import { describeEgress, describePolicy, describePorts } from './network.ts';
import type { PlanFacts } from './planFacts.ts';
import { type Absent, isAbsent, type Predicate, predicateType, type Statement, statementType } from './statement.ts';

/** What only the process that started a run knows. On the short way nobody does. */
export interface RunDetails {
  readonly record: RunRecord;
  readonly argv: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly timeoutMs: number;
  /** undefined when none were asked for. */
  readonly artifacts: readonly Artifact[] | undefined;
  readonly artifactsRefused: number;
  readonly workspaceMode: string;
  readonly setAside: readonly SetAside[];
  /** Undefined where the network was none. */
  readonly egress: Egress | undefined;
  readonly ports: readonly PublishedPort[];
  readonly weaknesses: readonly string[];
}

/** A run that ended without a line in runs.log: its supervisor was killed. */
export interface LostRun {
  readonly id: string;
  /** 64 hex digits, where its live record named one. */
  readonly plan?: string | undefined;
  /** ms since the epoch: when its live record was made. */
  readonly launchedMs?: number | undefined;
}

export type Ended =
  | {
      readonly kind: 'ended';
      readonly line: string;
      readonly record: RunRecord;
      readonly details: RunDetails | undefined;
    }
  | { readonly kind: 'lost'; readonly run: LostRun };

export interface StatementInput {
  readonly ended: Ended;
  /** What was written down about the way out of a sandbox that lived on. */
  readonly egress?: Egress | undefined;
  /** Of a sandbox that lived on: the ports that led into it. */
  readonly ports?: readonly PublishedPort[] | undefined;
  readonly facts: PlanFacts | Absent;
  readonly sequence: number;
  readonly auditHead: string;
  /** Our version. */
  readonly version: string;
  /** ms since the epoch. */
  readonly now: number;
}

const shortWay = 'the run took the short way, or whoever started it was gone: this was not recorded';
const mostListed = 1000;

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** The record of a run: the supervisor's line, or for a lost run its like. The subject's digest is over these bytes. */
export function recordOf(ended: Ended): string {
  if (ended.kind === 'ended') return ended.line;
  const { id, plan, launchedMs } = ended.run;
  return `lost 1 ${id} ${plan ?? '-'} ${launchedMs === undefined ? '-' : Math.floor(launchedMs)}`;
}

function describeArtifacts(ended: Ended, facts: PlanFacts | Absent): Predicate['artifacts'] {
  if (ended.kind === 'lost') return { absent: 'the run was killed; nothing was collected' };
  const { details } = ended;
  if (details === undefined) {
    const asked = !isAbsent(facts) && facts.inputs.artifacts;
    return { absent: asked ? shortWay : 'none were asked for' };
  }
  const { artifacts, artifactsRefused: refused } = details;
  if (artifacts === undefined) return { absent: 'none were asked for' };
  const list = artifacts.map(({ path, bytes, sha256: digest }) => `${digest} ${bytes} ${path}\n`).join('');
  return {
    count: artifacts.length,
    bytes: artifacts.reduce((sum, { bytes }) => sum + bytes, 0),
    listSha256: sha256(list),
    refused,
    files: artifacts.slice(0, mostListed).map(({ path, bytes, sha256: digest }) => ({ path, bytes, sha256: digest })),
  };
}

function describeTimes(ended: Ended, now: number): Predicate['times'] {
  const completedAt = new Date(now).toISOString();
  if (ended.kind === 'lost') {
    const { launchedMs } = ended.run;
    const startedAt = launchedMs === undefined ? null : new Date(launchedMs).toISOString();
    return { startedAt, endedAt: null, durationMs: null, completedAt };
  }
  const { startedMs, endedMs } = ended.record;
  return {
    startedAt: new Date(startedMs).toISOString(),
    endedAt: new Date(endedMs).toISOString(),
    durationMs: endedMs - startedMs,
    completedAt,
  };
}

function describeResult(ended: Ended): Predicate['result'] {
  if (ended.kind === 'lost') {
    const nothing = {
      exitCode: null,
      signal: null,
      stdoutBytes: null,
      stderrBytes: null,
      truncated: null,
      pidsHit: null,
    };
    return { status: 'lost', reason: 'the supervisor was killed before it could record the end', ...nothing };
  }
  const { record } = ended;
  const { exitCode, reason, stdoutBytes, stderrBytes, truncated } = record;
  const { stdout, stderr } = truncated;
  return {
    status: statusOf(record),
    exitCode,
    signal: signalOf(exitCode),
    reason,
    stdoutBytes,
    stderrBytes,
    truncated: { stdout, stderr },
    pidsHit: record.limits.pidsHit,
  };
}

function describeWorkspace(details: RunDetails | undefined, facts: PlanFacts | Absent): Predicate['workspace'] {
  if (details !== undefined) {
    const setAside = details.setAside.slice(0, mostListed).map(({ path, kept }) => ({ path, kept }));
    return { mode: details.workspaceMode, setAsideCount: details.setAside.length, setAside };
  }
  if (isAbsent(facts)) return { absent: facts.absent };
  const { mode } = facts.inputs.profile.resolved.workspace;
  return mode === 'scratch' ? { mode, setAsideCount: 0, setAside: [] } : { absent: shortWay };
}

function describeDigests(
  ended: Ended,
  details: RunDetails | undefined,
  egress: Egress | undefined,
  facts: PlanFacts | Absent,
): Predicate['digests'] {
  const plan = ended.kind === 'lost' ? ended.run.plan : ended.record.plan.slice('sha256:'.length);
  return {
    profile: isAbsent(facts) ? facts : facts.profile,
    policy: describePolicy(egress, facts),
    plan: plan === undefined ? { absent: 'the live record of the run was damaged' } : { sha256: plan },
    spec: isAbsent(facts) ? facts : facts.spec,
    image: isAbsent(facts) ? facts : { sha256: facts.inputs.image.digest },
    command: details === undefined ? { absent: shortWay } : { sha256: sha256(JSON.stringify(details.argv)) },
  };
}

function describeRuntime(details: RunDetails | undefined, facts: PlanFacts | Absent): Predicate['runtime'] {
  if (isAbsent(facts)) return facts;
  const { name, path, version, weaknesses: planned } = facts.inputs.engine;
  const weaknesses = details?.weaknesses ?? planned;
  return {
    engine: name,
    path,
    version,
    weaknesses: weaknesses === undefined ? { absent: shortWay } : [...weaknesses],
  };
}

function describeRun(ended: Ended, details: RunDetails | undefined): Predicate['run'] {
  const { id, taskId, jobId } =
    ended.kind === 'lost' ? { ...ended.run, taskId: undefined, jobId: undefined } : ended.record;
  return {
    id,
    taskId: taskId ?? null,
    jobId: jobId ?? null,
    labels: details === undefined ? { absent: shortWay } : { ...details.labels },
  };
}

/** The whole statement. */
export function buildStatement(input: StatementInput): Statement {
  const { ended, facts, sequence, auditHead, version, now } = input;
  const details = ended.kind === 'lost' ? undefined : ended.details;
  const egress = details?.egress ?? input.egress;
  const record = recordOf(ended);
  const run = describeRun(ended, details);
  const known = !isAbsent(facts);
  return {
    _type: statementType,
    subject: [{ name: run.id, digest: { sha256: sha256(record) } }],
    predicateType,
    predicate: {
      run,
      record,
      sequence,
      auditHead,
      // The key is refused unless it belongs to the uid that runs (lib/run/key.ts), so it is never more in this version.
      assurance: 'self',
      digests: describeDigests(ended, details, egress, facts),
      names: {
        profile: known ? facts.inputs.profile.name : null,
        image: known ? facts.inputs.image.name : null,
      },
      artifacts: describeArtifacts(ended, facts),
      enforced: known ? facts.enforced(ended.kind === 'lost' ? undefined : ended.record.limits.lacking) : facts,
      timeoutMs: details === undefined ? { absent: shortWay } : details.timeoutMs,
      workspace: describeWorkspace(details, facts),
      egress: describeEgress(egress, facts),
      ports: describePorts(details?.ports ?? input.ports, facts),
      times: describeTimes(ended, now),
      result: describeResult(ended),
      runtime: describeRuntime(details, facts),
      host: known ? { kernel: facts.inputs.kernel, cgroupVersion: facts.inputs.cgroups.version } : facts,
      cofferdam: version,
    },
  };
}
