// Owns where receipts lie: receipts/<yyyy-mm>/<id>.json, and for a run id that is used again <id>.again/<sequence>.json.
import {
  closeSync,
  existsSync,
  fsync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { CofferdamError, errnoOf } from '../../base/errors.ts';
import { diskError, ensureDirectory, listIfPresent, syncDirectory } from '../../base/files.ts';
import { digestOf, mostEnvelope } from './envelope.ts';

const flush = promisify(fsync);
const monthName = /^[0-9]{4}-[0-9]{2}$/;

export function receiptsFolder(state: string): string {
  return join(state, 'receipts');
}

function pendingFolder(state: string): string {
  return join(receiptsFolder(state), 'pending');
}

function months(state: string): string[] {
  return listIfPresent(receiptsFolder(state))
    .filter((name) => monthName.test(name))
    .sort()
    .reverse();
}

/** All receipts of a run id, newest first; one, unless the id was used again. */
export function findReceipts(state: string, id: string): string[] {
  return months(state).flatMap((month) => {
    const first = join(receiptsFolder(state), month, `${id}.json`);
    const again = join(receiptsFolder(state), month, `${id}.again`);
    const later = listIfPresent(again).sort().reverse();
    return [...later.map((name) => join(again, name)), ...(existsSync(first) ? [first] : [])];
  });
}

/** An envelope's bytes. Throws RUN_UNKNOWN for what is no file of a receipt's size. */
export function readReceipt(file: string): Buffer {
  try {
    const found = statSync(file);
    if (!found.isFile() || found.size > mostEnvelope) throw new Error('it is no file, or too large');
    return readFileSync(file);
  } catch (cause) {
    throw new CofferdamError(
      'RUN_UNKNOWN',
      `cannot read the receipt ${file}: ${cause instanceof Error ? cause.message : ''}`,
      { cause },
    );
  }
}

export interface NewReceipt {
  readonly id: string;
  readonly sequence: number;
  readonly text: string;
  /** Absolute: where it will stand. */
  readonly file: string;
}

export interface Placing {
  readonly state: string;
  readonly id: string;
  readonly sequence: number;
  /** ms since the epoch. */
  readonly now: number;
  /** Whether a receipt of this id is about to be put there. */
  readonly taken: boolean;
}

/** Where a receipt goes. */
export function placeReceipt({ state, id, sequence, now, taken }: Placing): string {
  const folder = join(receiptsFolder(state), new Date(now).toISOString().slice(0, 7));
  const first = join(folder, `${id}.json`);
  if (!taken && !existsSync(first)) return first;
  return join(folder, `${id}.again`, `${String(sequence).padStart(12, '0')}.json`);
}

// Several at once: the file system's journal takes them together.
async function writePending(folder: string, { sequence, text }: NewReceipt): Promise<void> {
  const file = join(folder, `${sequence}.json`);
  await writeFile(file, text, { mode: 0o600, flag: 'wx' });
  const fd = openSync(file, 'r+');
  try {
    await flush(fd);
  } finally {
    closeSync(fd);
  }
}

/** Writes receipts, synced, where nobody looks for them yet. Throws DISK_FULL, TOOL_FAILED. */
export async function writeReceipts(state: string, receipts: readonly NewReceipt[]): Promise<void> {
  if (receipts.length === 0) return;
  const folder = pendingFolder(state);
  ensureDirectory(folder);
  try {
    await Promise.all(receipts.map((receipt) => writePending(folder, receipt)));
    syncDirectory(folder);
  } catch (cause) {
    throw diskError(cause, 'cannot write a receipt');
  }
}

/** Puts receipts that the audit log names in their places. A crash before leaves them to settlePending. */
export function publishReceipts(state: string, receipts: readonly Pick<NewReceipt, 'sequence' | 'file'>[]): void {
  for (const { sequence, file } of receipts) {
    try {
      ensureDirectory(join(file, '..'));
      renameSync(join(pendingFolder(state), `${sequence}.json`), file);
    } catch (cause) {
      throw diskError(cause, `cannot write ${file}`);
    }
  }
}

/** Whether a crash left receipts that were written and not put in their places. */
export function hasPending(state: string): boolean {
  try {
    return readdirSync(pendingFolder(state)).length > 0;
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT') return false;
    throw cause;
  }
}

/**
 * Ends what a crash left between writing and naming: a receipt that the audit log names goes to its place, any other
 * is dropped, and its run is completed again. To be called under the lock.
 */
export function settlePending(
  state: string,
  named: (sequence: number) => { file: string; sha256: string } | undefined,
): void {
  if (!hasPending(state)) return;
  for (const name of readdirSync(pendingFolder(state))) {
    const path = join(pendingFolder(state), name);
    const sequence = Number(basename(name, '.json'));
    const found = Number.isSafeInteger(sequence) ? named(sequence) : undefined;
    if (found !== undefined && digestOf(readFileSync(path)) === found.sha256) {
      publishReceipts(state, [{ sequence, file: join(state, found.file) }]);
    } else rmSync(path, { force: true, recursive: true });
  }
}
