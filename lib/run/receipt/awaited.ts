// Owns telling others that the process which started a run will complete it, because only it knows the artifacts.
import { closeSync, constants, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import { diskError, ensureDirectory } from '../../base/files.ts';
import { idPattern } from '../../base/ids.ts';
import { bootId, startTimeOf } from '../../base/process.ts';
import { isAlive, mostRecordBytes, parseLiveRecord } from '../liveRecord.ts';
import { ageMs, listNames, readOwnFile } from '../ownFiles.ts';

export interface Awaited {
  /** The run is completed, or never was one. Twice is once. */
  release(): void;
}

// Made and not yet written; nothing takes longer than this.
const settleMs = 10_000;

/** Whether a live process, this one or another, said that it completes this run. Drops what a dead one said. */
export function isAwaited(folder: string, id: string): boolean {
  const file = join(folder, id);
  const read = readOwnFile(file, mostRecordBytes);
  if (read.kind === 'gone') return false;
  if (read.kind === 'file') {
    if (read.text === '' && ageMs(read.found, Date.now()) < settleMs) return true;
    const said = parseLiveRecord(read.text);
    if (said !== undefined && isAlive(said, bootId())) return true;
  }
  // Not one of ours says nothing: it is taken away, a link itself and never what it leads to.
  rmSync(file, { recursive: true, force: true });
  return false;
}

/** Drops what dead processes said. */
export function sweepAwaited(folder: string): void {
  for (const name of listNames(folder)) if (idPattern.test(name)) isAwaited(folder, name);
}

/**
 * Says that we complete run `id`. Made before the run is launched; lost with a reboot, as we are. Throws ID_IN_USE when
 * a live process said so before.
 */
export function awaitRun(folder: string, id: string): Awaited {
  ensureDirectory(folder);
  const file = join(folder, id);
  if (isAwaited(folder, id)) throw new CofferdamError('ID_IN_USE', `a run with the id ${id} exists`);
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const fd = openSync(file, flags, 0o600);
    try {
      // One form with the live record (lib/run/liveRecord.ts); no plan is meant here.
      writeSync(fd, `1 ${id} ${process.pid} ${startTimeOf(process.pid) ?? '0'} ${bootId()} ${'0'.repeat(64)}\n`);
    } finally {
      closeSync(fd);
    }
  } catch (cause) {
    if (errnoOf(cause) === 'EEXIST') throw new CofferdamError('ID_IN_USE', `a run with the id ${id} exists`, { cause });
    throw diskError(cause, `cannot write ${file}`);
  }
  return { release: () => rmSync(file, { force: true }) };
}
