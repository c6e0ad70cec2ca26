// Owns telling others that the process which started a run will complete it, because only it knows the artifacts.
import { closeSync, constants, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import { diskError, ensureDirectory } from '../../base/files.ts';
import { bootId, startTimeOf } from '../../base/process.ts';
import { isAlive, parseLiveRecord } from '../reap.ts';

export interface Awaited {
  /** The run is completed, or never was one. Twice is once. */
  release(): void;
}

// Made and not yet written; nothing takes longer than this.
const settleMs = 10_000;

/** Whether a live process, this one or another, said that it completes this run. Drops what a dead one said. */
export function isAwaited(folder: string, id: string): boolean {
  const file = join(folder, id);
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
    if (text === '' && Date.now() - statSync(file).mtimeMs < settleMs) return true;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return false;
    throw cause;
  }
  const said = parseLiveRecord(text);
  if (said !== undefined && isAlive(said, bootId())) return true;
  rmSync(file, { force: true });
  return false;
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
      // One form with the live record (lib/run/reap.ts); no plan is meant here.
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
