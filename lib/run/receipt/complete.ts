// Owns completing runs: every line of runs.log, and every run that was lost, gets one receipt and one audit line.
import { relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Paths } from '../../base/paths.ts';
import { printable } from '../../base/printable.ts';
import { findLine } from '../audit/find.ts';
import type { Through } from '../audit/line.ts';
import { type AuditLog, withAudit } from '../audit/log.ts';
import { readAuditTail } from '../audit/tail.ts';
import { type RunFolders, runFolders } from '../folders.ts';
import { readKey } from '../key.ts';
import { readUsedPorts } from '../life/usedPorts.ts';
import { awaitCounts, isBeingCounted, patienceMs, readEgress } from '../life/usedWay.ts';
import type { RunRecord } from '../result.ts';
import { isAwaited } from './awaited.ts';
import { buildStatement, type Ended, type LostRun, type RunDetails, recordOf } from './build.ts';
import { digestOf, sealEnvelope } from './envelope.ts';
import { findLost } from './lost.ts';
import { isCompleted, wasCompleted } from './peek.ts';
import { type PlanFacts, readPlanFacts } from './planFacts.ts';
import { hasNews, openRunsLog, type RecordLine, type RunsLog, trimRunsLog } from './runsLog.ts';
import type { Absent } from './statement.ts';
import { hasPending, type NewReceipt, placeReceipt, publishReceipts, settlePending, writeReceipts } from './store.ts';

export interface CompleteHost {
  readonly paths: Paths;
  readonly uid: number;
  /** Ours. */
  readonly version: string;
}

export interface CompleteRequest {
  /** ms since the epoch. */
  readonly now: number;
  /** Of runs that this process started. */
  readonly details?: readonly RunDetails[];
  /** Runs without a line in runs.log: those of findLost, or that were freed. Those that have one after all are not lost. */
  readonly lost?: readonly LostRun[];
}

export interface Completed {
  readonly id: string;
  readonly file: string;
  /** `sha256:` and 64 hex digits, of the file. */
  readonly digest: string;
}

/** Runs that are completed at once: one write of the audit log, one flush of the folder. */
const batchSize = 256;

/** Where a receipt stands, as an audit line names it: below the state folder, never elsewhere. */
const receiptPath = /^receipts\/[0-9]{4}-[0-9]{2}\/[A-Za-z0-9_-]{1,64}(\.again\/[0-9]{12})?\.json$/;

/** The receipt that an audit line names, or undefined. */
export function namedReceipt(state: string, sequence: number): { file: string; sha256: string } | undefined {
  const named = findLine(state, sequence)?.data['receipt'];
  if (typeof named !== 'object' || named === null || !('file' in named) || !('sha256' in named)) return undefined;
  const { file, sha256 } = named;
  if (typeof file !== 'string' || typeof sha256 !== 'string' || !receiptPath.test(file)) return undefined;
  return { file, sha256 };
}

class Batch {
  private readonly host: CompleteHost;
  private readonly folders: RunFolders;
  private readonly now: number;
  private readonly log: AuditLog;
  private readonly facts = new Map<string, PlanFacts | Absent>();
  private receipts: NewReceipt[] = [];
  private readonly records = new Set<string>();
  readonly completed: Completed[] = [];

  constructor(host: CompleteHost, now: number, log: AuditLog) {
    this.host = host;
    this.folders = runFolders(host.paths);
    this.now = now;
    this.log = log;
  }

  private factsOf(plan: string | undefined): PlanFacts | Absent {
    if (plan === undefined) return { absent: 'the live record of the run was damaged' };
    const known = this.facts.get(plan) ?? readPlanFacts(this.folders.plans, plan);
    this.facts.set(plan, known);
    return known;
  }

  add(ended: Ended, through: Through | null): void {
    const { state } = this.host.paths;
    const plan = ended.kind === 'lost' ? ended.run.plan : ended.record.plan.slice('sha256:'.length);
    const id = ended.kind === 'lost' ? ended.run.id : ended.record.id;
    const { seq: sequence, prev: auditHead } = this.log.next();
    const facts = this.factsOf(plan);
    const { version } = this.host;
    const egress = readEgress(this.host.paths, id);
    const ports = readUsedPorts(this.host.paths, id, plan);
    const statement = buildStatement({ ended, egress, ports, facts, sequence, auditHead, version, now: this.now });
    const text = sealEnvelope(JSON.stringify(statement), this.log.key);
    const taken = this.receipts.some((receipt) => receipt.id === id);
    const file = placeReceipt({ state, id, sequence, now: this.now, taken });
    const sha256 = digestOf(text);
    const data = {
      status: statement.predicate.result.status,
      record: statement.subject[0].digest.sha256,
      receipt: { file: relative(state, file), sha256 },
    };
    this.log.draft({ event: ended.kind === 'lost' ? 'run.lost' : 'run.completed', run: id, data }, through);
    this.receipts.push({ id, sequence, text, file });
    this.records.add(statement.predicate.record);
    this.completed.push({ id, file, digest: `sha256:${sha256}` });
  }

  /** Whether this very record was added since the log was opened. */
  has(record: string): boolean {
    return this.records.has(record);
  }

  get full(): boolean {
    return this.receipts.length >= batchSize;
  }

  /** Receipts first, then the audit line that names them, then their places: a crash in between is seen and settled. */
  async flush(): Promise<void> {
    const { state } = this.host.paths;
    await writeReceipts(state, this.receipts);
    this.log.commit();
    publishReceipts(state, this.receipts);
    this.receipts = [];
  }
}

function quarantine(log: AuditLog, { line, text }: RecordLine, through: Through): void {
  const data = { bytes: line.end - line.start, sha256: line.sha256, text: printable(text, 200) };
  log.draft({ event: 'record.garbled', run: null, data }, through);
}

interface LinesRequest {
  readonly host: CompleteHost;
  readonly now: number;
  readonly details: readonly RunDetails[];
  readonly batch: Batch;
  readonly log: AuditLog;
}

// Ended since we waited for others. A daemon that takes too long keeps no receipt from being made.
function isCounted({ paths }: CompleteHost, now: number, { id, endedMs }: RunRecord): boolean {
  return now - endedMs < patienceMs && isBeingCounted(paths, id);
}

// A line whose own process still lives is left to it; what stands behind is completed all the same, and found to be
// when it is read again, because progress stops at the first line that was left.
async function completeLines(runs: RunsLog, { host, now, details, batch, log }: LinesRequest): Promise<void> {
  const { state } = host.paths;
  const { awaited } = runFolders(host.paths);
  if (runs.replaced) {
    const data = { was: log.through(), now: { ino: runs.ino, size: runs.size } };
    log.draft({ event: 'log.replaced', run: null, data }, runs.throughAt(0));
  }
  let blocked = false;
  let garbled = 0;
  for (const found of runs.lines()) {
    const { record, text, line } = found;
    if (record === undefined) {
      if (blocked) continue;
      quarantine(log, found, runs.throughAt(line.end));
      garbled += 1;
    } else if (!batch.has(text) && !isCompleted(state, record.id, text)) {
      const known = details.find((one) => isDeepStrictEqual(one.record, record));
      if (known === undefined && (isAwaited(awaited, record.id) || isCounted(host, now, record))) {
        blocked = true;
        continue;
      }
      const through = blocked ? log.through() : runs.throughAt(line.end);
      batch.add({ kind: 'ended', line: text, record, details: known }, through);
    }
    if (batch.full || garbled >= batchSize) {
      await batch.flush();
      garbled = 0;
    }
  }
  await batch.flush();
  const through = log.through();
  if (!blocked && through !== null) await trimRunsLog(runFolders(host.paths).log, through.offset);
}

/** Completes what is due, runs that were killed among it: at the start of a command. Throws as completeRuns. */
export async function completeDue(host: CompleteHost, now: number): Promise<void> {
  await completeRuns(host, { now, lost: findLost(runFolders(host.paths)) });
}

/** Throws KEY_INVALID before anything is run whose receipt could not be signed. */
export function checkKey({ paths, uid }: CompleteHost): void {
  readKey(paths.state, uid);
}

/**
 * Makes the receipts that are due and gives them. Without news it reads a few kilobytes and takes no lock. Twenty at once
 * make each receipt once. Throws KEY_INVALID, AUDIT_DAMAGED, DISK_FULL, TOOL_FAILED; what was not completed then is
 * the next time.
 */
export async function completeRuns(host: CompleteHost, request: CompleteRequest): Promise<Completed[]> {
  const { now, details = [], lost = [] } = request;
  const { state } = host.paths;
  const file = runFolders(host.paths).log;
  const idle = lost.every((run) => wasCompleted(state, run)) && !hasPending(state);
  if (idle && !hasNews(file, readAuditTail(state).through)) return [];
  await awaitCounts(host.paths);
  return withAudit({ state, uid: host.uid, now }, async (log) => {
    settlePending(state, (sequence) => namedReceipt(state, sequence));
    const batch = new Batch(host, now, log);
    const runs = openRunsLog(file, log.through());
    try {
      if (runs !== undefined) await completeLines(runs, { host, now, details, batch, log });
    } finally {
      runs?.close();
    }
    for (const run of lost) {
      if (!batch.has(recordOf({ kind: 'lost', run })) && !wasCompleted(state, run))
        batch.add({ kind: 'lost', run }, log.through());
      if (batch.full) await batch.flush();
    }
    await batch.flush();
    return batch.completed;
  });
}
