// Owns what state a sandbox is in: derived from the live record of its run, its freezer, and the line its supervisor left.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf } from '../../base/errors.ts';
import type { Paths } from '../../base/paths.ts';
import { bootId } from '../../base/process.ts';
import { runFolders } from '../folders.ts';
import { isAlive, type LiveRecord, parseLiveRecord } from '../liveRecord.ts';
import { isAwaited } from '../receipt/awaited.ts';
import { parseRecord, type RunRecord } from '../result.ts';
import { isFrozen } from './freezer.ts';
import { type Sandbox, sandboxFolder } from './sandbox.ts';

export const sandboxStatuses = ['created', 'running', 'paused', 'exited', 'lost'] as const;

export type SandboxState =
  /** Never started, or being started now. */
  | { readonly status: 'created' }
  | { readonly status: 'running' | 'paused'; readonly live: LiveRecord }
  /** Its supervisor recorded the end of the last run. */
  | { readonly status: 'exited'; readonly record: RunRecord }
  /** Killed from outside, or with the host: nobody recorded an end. */
  | { readonly status: 'lost' };

/** The live record of run `id` whose process lives; undefined otherwise. */
export function readLive(paths: Paths, id: string): LiveRecord | undefined {
  let text: string;
  try {
    text = readFileSync(join(runFolders(paths).records, id), 'utf8');
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return undefined;
    throw cause;
  }
  const record = parseLiveRecord(text);
  return record !== undefined && record.id === id && isAlive(record, bootId()) ? record : undefined;
}

/** Where launcher and supervisor of a run leave their one line. */
export function resultFile(paths: Paths, id: string, run: string): string {
  return join(sandboxFolder(paths, id), `${run}.result`);
}

// Half a line or nothing: the supervisor did not come to an end.
function readResult(paths: Paths, id: string, run: string): RunRecord | undefined {
  try {
    const text = readFileSync(resultFile(paths, id, run), 'latin1');
    const end = text.indexOf('\n');
    const record = end < 0 ? undefined : parseRecord(text.slice(0, end));
    return record?.id === run ? record : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the state of a sandbox now. */
export function readState(paths: Paths, sandbox: Sandbox): SandboxState {
  const { run } = sandbox;
  if (run === null) return { status: 'created' };
  const lives = (): SandboxState | undefined => {
    const live = readLive(paths, run);
    return live === undefined ? undefined : { status: isFrozen(sandbox) ? 'paused' : 'running', live };
  };
  // In this order: a supervisor leaves its line before it takes the live record away.
  const alive = lives();
  if (alive !== undefined) return alive;
  const record = readResult(paths, sandbox.id, run);
  if (record !== undefined) return { status: 'exited', record };
  if (isAwaited(runFolders(paths).awaited, run)) return { status: 'created' };
  // A start may have come to its end between the looks above.
  const late = lives() ?? readResult(paths, sandbox.id, run);
  if (late === undefined) return { status: 'lost' };
  return 'status' in late ? late : { status: 'exited', record: late };
}

/** Whether a run of it exists now, or is being started. */
export function isLive({ status }: SandboxState): boolean {
  return status === 'running' || status === 'paused';
}
