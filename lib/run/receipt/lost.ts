// Owns finding runs that ended without a line in runs.log: their live record stands, and its process is gone.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { listIfPresent } from '../../base/files.ts';
import { bootId } from '../../base/process.ts';
import type { RunFolders } from '../folders.ts';
import { isAlive, type LiveRecord, mostRecordBytes, parseLiveRecord } from '../liveRecord.ts';
import { readOwnFile } from '../ownFiles.ts';
import { isAwaited } from './awaited.ts';
import type { LostRun } from './build.ts';

function readLive(file: string): { record: LiveRecord; madeMs: number } | undefined {
  const read = readOwnFile(file, mostRecordBytes);
  const record = read.kind === 'file' ? parseLiveRecord(read.text) : undefined;
  return read.kind !== 'file' || record === undefined ? undefined : { record, madeMs: Number(read.found.mtimeMs) };
}

/**
 * Runs whose process died, before reapRuns takes their records away: so that a kill in between forgets none. Those with a
 * line after all are told apart by completeRuns; those that a live process of ours started are left to it,
 * unless that is us and the run is `own`.
 */
export function findLost({ records, awaited }: Pick<RunFolders, 'records' | 'awaited'>, own?: string): LostRun[] {
  const names = listIfPresent(records);
  if (names.length === 0) return [];
  const boot = bootId();
  return names.flatMap((name) => {
    const file = join(records, name);
    const live = readLive(file);
    if (live === undefined || live.record.id !== name || isAlive(live.record, boot)) return [];
    // Who ends in order takes the record away first, so a record that outlives its process was left by a kill.
    if (!existsSync(file)) return [];
    return name !== own && isAwaited(awaited, name)
      ? []
      : [{ id: name, plan: live.record.plan, launchedMs: live.madeMs }];
  });
}
